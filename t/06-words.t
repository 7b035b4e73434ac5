# 06-words.t - openapi/embed refuses words that do not fit the routes, and says
# where.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp qw(tempdir);
use DataLake::Process qw(slurp spit);

chdir "$FindBin::Bin/.." or die "$!\n";
my $module = 'mod_datalake';
my @files  = glob "$module/openapi/*.json";
my $dir    = tempdir('datalake-words-XXXX', TMPDIR => 1, CLEANUP => 1);

# (exit status, what embed says) for the files with CHANGE made to the one that
# holds what PATTERN finds; with MORE a change of the route table.
sub embed {
    my ($pattern, $change, $more) = @_;
    my @copies;
    for my $file (@files) {
        my $text = slurp($file);
        $text =~ s/$pattern/$change/ if defined $pattern;
        push @copies, $dir . '/' . ($file =~ s{.*/}{}r);
        spit($copies[-1], $text);
    }
    my $table = slurp("$module/mdl_route_table.c");
    $table =~ s/"health"/$more/ if defined $more;
    spit("$dir/table.c", $table);
    my $said = qx($module/openapi/embed $dir/table.c $module/mdl_problem.c @copies 2>&1 >$dir/out);
    return ($? >> 8, $said);
}

my ($status, $said) = embed();
is($status, 0, 'the words as they are fit') or diag($said);
like(slurp("$dir/out"), qr/static const mdl_words words_operations/, '... and become C');

my @planted = (
    [ 'a route without words', undef, undef, '"planted"',
        qr/the route "planted" has no words/ ],
    [ 'words without a route', undef, undef, '"live"',
        qr/operations\.json: health: no such route/ ],
    [ 'words told twice', qr/"ready": \{/, '"live": {', undef,
        qr/operations\.json: live: told twice/ ],
    [ 'a schema that is not there', qr/"schema": "Live"/, '"schema": "Planted"',
        undef, qr/operations\.json: live: no schema Planted/ ],
    [ 'a problem that is not there', qr/"problems": \["not-found"\]/,
        '"problems": ["planted"]', undef, qr/no problem planted/ ],
    [ 'a header that is not there', qr/"headers": \["Location"\]/,
        '"headers": ["X-Planted"]', undef, qr/no header X-Planted/ ],
    [ 'no summary', qr/"summary": "Say that the server answers"/, '"summary": ""',
        undef, qr/live: no summary/ ],
    [ 'no example', qr/, "example": \{"status": "alive"\}/, '', undef,
        qr/live: 200: no example/ ],
    [ 'a member nobody knows', qr/"about": /, '"abaut": ', undef,
        qr/nobody knows the member abaut/ ],
    [ 'a comma that is missing', qr/"tag": "operations",/, '"tag": "operations"',
        undef, qr/operations\.json:\d+: no comma/ ],
);
for my $case (@planted) {
    my ($name, $pattern, $change, $more, $wanted) = @$case;
    my ($exit, $text) = embed($pattern, $change, $more);
    isnt($exit, 0, "$name does not build");
    like($text, $wanted, '... and is named');
}

done_testing;
