# 01-house.t - the rules of the house that a program can check.
#
# Sizes, forbidden calls, log tags, file heads, foreign hosts, and settings
# against manuals and sample files, both ways.  Every rule first makes sure
# that it has something to look at.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(slurp);
use DataLake::Source qw(bare functions sources tracked);

chdir "$FindBin::Bin/.." or die "$!\n";

my @product = sources('mod_datalake', 'consumers');
my @c       = (@product, sources('t'));

# LIST must be empty; NOUN says what was looked at, COUNT how many.
sub none {
    my ($count, $sentence, @list) = @_;
    ok($count > 0, "there is something to check: $sentence") or return;
    is(join("\n", @list), '', $sentence);
    return;
}

subtest 'sizes' => sub {
    my (@files, @functions, %long);
    for my $file (@c) {
        my $lines = () = slurp($file) =~ /\n/g;
        push @files, "$file: $lines lines" if $lines > 600;
        next if $file !~ /\.c$/;
        push @functions, map { { %$_, file => $file } } functions($file);
    }
    none(scalar @c, 'no file is longer than 600 lines', @files);
    my %limit = (lines => 80, depth => 4, parameters => 6);
    for my $what (sort keys %limit) {
        none(
            scalar @functions,
            "no function has more than $limit{$what} $what",
            map  { "$_->{file}:$_->{line}: $_->{name}: $_->{$what}" }
            grep { $_->{$what} > $limit{$what} + ($what eq 'depth') }
              @functions
        );
    }
};

subtest 'every file begins with its sentence' => sub {
    my (@head, @licence);
    for my $file (@c) {
        my $text = slurp($file);
        my ($name) = $file =~ m{([^/]+)$};
        push @head, $file if $text !~ m{\A/\* \Q$name\E - |\A/\* \Q@{[
            $name =~ s/\.c$//r]}\E - };
        push @licence, $file
          if $text !~ m{\A/\*.*?SPDX-License-Identifier: Apache-2\.0.*?\*/}s;
    }
    none(scalar @c, 'line one is name and sentence', @head);
    none(scalar @c, 'the licence follows',           @licence);
};

# Prototypes of the header TEXT without a comment directly above; sets
# COUNT to the number of prototypes.
sub undocumented {
    my ($text, $count) = @_;
    my @without;
    $text =~ s{\A\s*/\*.*?\*/}{}s;
    while ($text =~ m{(?:^|\n)(?!\s*(?:typedef|\#|\*|/|struct\ \w+\ \{
          |return|static\ inline|if|for|while))
          ([A-Za-z_][\w\ \t*()\n]*?\b\w+\s*\([^;{}]*\)[^;{}]*;)}gx) {
        my ($prototype, $before) = ($1, substr $text, 0, $-[1]);
        $$count++;
        push @without, $prototype =~ s/\s+/ /gr
          if $before !~ m{(?:\*/|//[^\n]*)\s*\z};
    }
    return @without;
}

subtest 'every prototype has its comment' => sub {
    my ($count, @without) = 0;
    is(scalar undocumented("/* x.h */\n/* Do a. */\nvoid a(int i);\n"
              . "void b(void);\n\nstatic_t *c(char *s,\n  int n);\n",
            \my $planted),
        2, 'the check notices what has none');
    for my $file (grep { /\.h$/ } @product) {
        push @without, map { "$file: $_" } undocumented(slurp($file), \$count);
    }
    none($count, 'a comment stands directly above it', @without);
};

subtest 'calls that are never made' => sub {
    my @calls = qw(strcpy strcat sprintf vsprintf gets strtok atoi atol atoll
      atof alloca localtime gmtime asctime ctime strerror rand srand tmpnam
      mktemp system popen setjmp longjmp getpwnam readdir_r);
    my $call = join '|', @calls;
    my (@found, @goto);
    for my $file (@product) {
        my $number = 0;
        for my $line (split /\n/, bare(slurp($file))) {
            $number++;
            push @found, "$file:$number: $1"
              if $line =~ /(?<![\w.>])($call)\s*\(/;
            push @goto, "$file:$number" if $line =~ /\bgoto\b/;
        }
    }
    none(scalar @product, 'no call of a forbidden function', @found);
    none(scalar @product, 'no goto',                         @goto);
};

subtest 'log tags' => sub {
    my %range = (
        'mod_datalake/core' => [ [ 100, 699 ], [ 800, 999 ] ],
        'mod_datalake'      => [ [ 1000, 1399 ] ],
        'consumers'         => [ [ 300, 999 ] ],
    );
    my (%where, @twice, @outside);
    for my $file (grep { /\.c$/ } @product) {
        my ($folder) = $file =~ m{^(.*)/};
        my $text = slurp($file);
        while ($text =~ /"(DL(\d{4}))\b/g) {
            my ($tag, $number) = ($1, $2);
            push @twice, "$tag: $where{$tag}, $file" if $where{$tag};
            $where{$tag} = $file;
            push @outside, "$tag: $file"
              if !grep { $number >= $_->[0] && $number <= $_->[1] }
              @{ $range{$folder} };
        }
    }
    # The table of a folder's README against its sources, both ways.
    for my $folder (sort keys %range) {
        my %listed;
        for (grep { /^\|\s*DL\d{4}/ } split /\n/, slurp("$folder/README.md")) {
            my ($cell) = /^\|([^|]*)\|/;
            $listed{$1}++ while $cell =~ /(DL\d{4})/g;
        }
        my @in = grep { $where{$_} =~ m{^\Q$folder\E/[^/]+$} } keys %where;
        none(scalar @in, "$folder/README.md lists every tag once",
            sort grep { ($listed{$_} // 0) != 1 } @in);
        none(scalar keys %listed, "$folder/README.md lists no other",
            sort grep { ($where{$_} // '') !~ m{^\Q$folder\E/[^/]+$} }
              keys %listed);
    }
    none(scalar keys %where, 'each tag stands in one place', @twice);
    none(scalar keys %where, 'each tag is from its folder\'s range',
        @outside);
};

subtest 'httpd is hardened' => sub {
    my $conf = slurp('conf/hardening.conf');
    my @lines = (
        'HttpProtocolOptions Strict RegisteredMethods Require1.0',
        'TraceEnable off',           'ServerTokens Prod',
        'ServerSignature Off',       'FileETag None',
        'LimitRequestLine 8190',     'LimitRequestFields 64',
        'LimitRequestFieldSize 8190', 'LimitRequestBody 1048576',
        'RequestReadTimeout handshake=5 header=5-10,MinRate=500 '
          . 'body=5-20,MinRate=500',
        'Timeout 15',          'KeepAliveTimeout 5',
        'GracefulShutdownTimeout 30', 'Protocols http/1.1',
        'MergeSlashes On',     'AcceptPathInfo Off',
        'AuthzSendForbiddenOnFailure On', 'AllowOverride None',
        'SSLProtocol -all +TLSv1.2 +TLSv1.3', 'Require all denied',
    );
    none(scalar @lines, 'conf/hardening.conf has every line',
        grep { $conf !~ /^\s*\Q$_\E$/m } @lines);
    like(slurp('conf/httpd/stack.conf'), qr/^Include \S+hardening\.conf$/m,
        'and every test runs with it');
};

subtest 'files' => sub {
    my @all = tracked();
    my %top = map { ($_ => 1) } qw(mod_datalake consumers conf sql t Makefile
      README.md LICENSE);
    none(scalar @all, 'the top level is as agreed',
        grep { !/^\./ && !$top{ (split m{/})[0] } } @all);
    none(scalar @all, 'no file is called util, common or misc',
        grep { m{(?:^|[/_-])(?:utils?|common|misc)[._-]}i } @all);
    my @text = grep { -T && $_ ne 'LICENSE' } @all;
    my (@tab, @end, @host);
    for my $file (@text) {
        my $text = slurp($file);
        push @end, $file if $text =~ /[ \t]$/m || $text !~ /\n\z/;
        push @tab, $file if $file =~ /\.[ch]$/ && $text =~ /\t/;
        while ($text =~ m{https?://([\w.-]+\.[a-z]{2,})}g) {
            my $host = $1;
            push @host, "$file: $host"
              if $host =~ /(?:maven|mirror|registry|artifact|pypi|npmjs|nexus
                 |proxy)/xi && $host !~ /^maven\.apache\.org$/;
        }
    }
    none(scalar @text, 'no white space at the end of a line', @end);
    none(scalar @text, 'no tab in C',                         @tab);
    none(scalar @text, 'no package registry is named',        @host);
};

# What fetches packages keeps them in the clone, or keeps none: each call that
# does it, and the option for that, as often in the file.
subtest 'nothing is written outside build/' => sub {
    my %keeps = (
        npm   => [ qr/\bnpm\b.*\bci\b/,           qr/\bnpm\b.*--cache/ ],
        pip   => [ qr/-m pip install/,             qr/--no-cache-dir/ ],
        maven => [ qr/dependency:copy-dependencies/, qr/-Dmaven\.repo\.local=/ ],
    );
    my @files = grep { -T && $_ ne 't/01-house.t' } tracked('Makefile', 'mod_datalake/www', 't');
    for my $name (sort keys %keeps) {
        my ($call, $option) = @{ $keeps{$name} };
        my %calls = map { my $n = () = slurp($_) =~ /$call/g; $n ? ($_ => $n) : () } @files;
        none(
            scalar keys %calls,
            "$name leaves nothing elsewhere",
            grep { my $n = () = slurp($_) =~ /$option/g; $n != $calls{$_} } sort keys %calls
        );
    }
};

subtest 'one place where a status gets a meaning' => sub {
    my @switch;
    for my $file (@product) {
        my $text = bare(slurp($file));
        push @switch, $file
          if $text =~ /switch\s*\([^)]*\)\s*\{\s*case DL_[A-Z]+:/
          && $text =~ /case DL_OK:/;
    }
    none(
        scalar @product,
        'a status is switched over in mdl_http.c and dlc_loop.c alone',
        grep { !m{/(?:mdl_http|dlc_loop|dl_error)\.c$} } @switch
    );
};

done_testing;
