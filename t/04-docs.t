# 04-docs.t - what the documents say is what the programs do, both ways.
#
# Each rule first makes sure that it has something to compare, so that a moved
# file cannot make it pass.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use File::Path qw(remove_tree);
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(slurp);
use DataLake::Source qw(tracked);

chdir "$FindBin::Bin/.." or die "$!\n";
my $build = $ENV{DL_BUILD} // 'build';

# The sets LEFT and RIGHT (references to lists) must be equal and not empty.
sub same {
    my ($sentence, $left, $right) = @_;
    ok(@$left > 0 && @$right > 0, "there is something to compare: $sentence")
      or return;
    my %left  = map { ($_ => 1) } @$left;
    my %right = map { ($_ => 1) } @$right;
    my @only = (
        (map { "only there: $_" } grep { !$right{$_} } sort keys %left),
        (map { "only here: $_" } grep  { !$left{$_} } sort keys %right)
    );
    is(join("\n", @only), '', $sentence);
    return;
}

subtest 'directives' => sub {
    my @table = map { slurp($_) =~ /AP_INIT_\w+\(\s*"(DataLake\w+)"/g }
      tracked('mod_datalake/*.c');
    my @sample = slurp('conf/datalake.conf') =~ /^\s*#?(DataLake\w+)/mg;
    same('conf/datalake.conf has every directive, and no other',
        \@table, \@sample);
    is(
        join(' ', grep { my $name = $_; 1 < grep { $_ eq $name } @sample }
              @sample),
        '', 'each of them once'
    );
};

subtest 'settings' => sub {
    my $section = '';
    my @sample;
    for my $line (split /\n/, slurp('conf/datalake.ini')) {
        # A source stands there as a remark: none is by default.
        $section = $1 if $line =~ /^#?\[(\w+(?: NAME)?)\]/;
        push @sample, "[$section] $1"
          if $line =~ ($section =~ / / ? qr/^#(\w+) *=/ : qr/^(\w+) *=/);
    }
    my ($in, @manual) = ('');
    for my $line (split /\n/, slurp('conf/datalake.ini.5')) {
        $in = $1 if $line =~ /^\.S[hs] .*?\[(\w+(?: NAME)?)\]/i;
        push @manual, "[$in] $1" if $line =~ /^\.It (?:Ic|Cm|Va|Li) (\w+)/;
    }
    same('datalake.ini(5) has every key of conf/datalake.ini, and no other',
        \@sample, \@manual);
};

subtest 'manuals of the programs' => sub {
    my @programs = grep { -x } glob "$build/bin/*";
    ok(@programs > 0, 'there are programs');
    for my $program (@programs) {
        my ($name) = $program =~ m{([^/]+)$};
        my ($manual) = tracked("consumers/$name.[18]");
        ok($manual, "$name has a manual") or next;
        my $text = slurp($manual);
        for my $heading ('NAME', 'SYNOPSIS', 'DESCRIPTION', 'EXIT STATUS',
            'EXAMPLES') {
            like($text, qr/^\.Sh $heading$/m, "$name.$heading is there");
        }
        my $help    = qx($program --help);
        my @printed = $help =~ /(?<![\w-])(--[a-z][a-z-]+)/g;
        my @written = map { s/\\//gr } $text =~ /(?:Fl Fl|Fl \\-|Fl -|--)\s*([a-z][a-z\\-]+)/g;
        same("the manual of $name has the options of --help, and no other",
            \@printed, [ map { "--$_" } @written ]);
        my $version = qx($program --version);
        like($version, qr/^\Q$name\E \d+\.\d+\.\d+$/, "$name --version");
    }
};

subtest 'figures' => sub {
    my @scripts = map { s{^t/}{}r } grep { -x || /\.t$/ } tracked('t/f*.t'),
      grep { -x } tracked('t/bench/p*');
    my @listed = slurp('t/FIGURES.md') =~ /\]\(((?:bench\/)?[fp]\d\d-[^)]+)\)/g;
    same('t/FIGURES.md lists every figure, and no other',
        \@scripts, \@listed);
    my @programs = map { s{^t/}{}r } tracked('t/tools/*.c', 't/bench/*.c');
    my @told = slurp('t/FIGURES.md') =~ /\]\(((?:tools|bench)\/[^)]+\.c)\)/g;
    same('and every program of the tests', \@programs, \@told);
};

subtest 'make targets' => sub {
    my @help = map { /^(\S.*?)  / ? split(' ', $1) : () } split /\n/,
      qx(make -s --no-print-directory help);
    my %known = map { ($_ => 1) } @help;
    my @asked = qw(all run stop status test check asan tsan tidy analyzer
      format lint coverage check-static bench soak reset install deb clean);
    is(join(' ', grep { !$known{$_} } @asked),
        '', 'make help names every target of the house');
    for my $file (grep { /README\.md$|^\.ci/ } tracked()) {
        my @named = slurp($file) =~ m{(?:^|`)make ([a-z][a-z-]*)(?![\w/-])}mg;
        is(
            join(' ', grep { !$known{$_} && !/^(?:start|stop)-/ } @named),
            '', "$file names no target that is not there"
        );
    }
};

subtest 'packages' => sub {
    my $root = "$build/t/04-docs";
    remove_tree($root);
    is(system("make -s --no-print-directory install DESTDIR='$root' >'$root.log' 2>&1"),
        0, 'make install succeeds')
      or diag(slurp("$root.log"));
    my @files = map { s{^\Q$root\E/}{}r =~ s{\n}{}r } qx(find '$root' -type f);
    cmp_ok(scalar @files, '>', 20, 'it places files');
    my %paths = map { ($_ => [ split /\n/, slurp($_) ]) } tracked('conf/debian/*.install');
    is(scalar keys %paths, 2, 'there are two packages');
    my @left = slurp('conf/debian/not-installed') =~ /^(\S+)$/mg;
    my @mods = slurp('conf/debian/libapache2-mod-datalake.apache2') =~ m{^\w+ debian/tmp/(\S+)$}mg;
    same('what dh_apache2 places is left to it', \@left, \@mods);
    for my $file (sort @files) {
        my @of = grep { $file eq $_ || $file =~ m{^\Q$_\E/} } @left, map { @$_ } values %paths;
        is(scalar @of, 1, "$file is in one package");
    }
    my @empty = grep { my $path = $_; !grep { $_ eq $path || m{^\Q$path\E/} } @files } @left,
      map { @$_ } values %paths;
    is("@empty", '', 'no package names what there is not');
    my ($version) = slurp('Makefile') =~ /^VERSION := (\S+)$/m;
    like(slurp('conf/debian/changelog'), qr/^datalake \(\Q$version\E\) /, 'their version is ours');
    remove_tree($root);
};

subtest 'links' => sub {
    my @documents = grep { /\.md$/ } tracked();
    ok(@documents > 0, 'there are documents');
    for my $file (@documents) {
        my ($folder) = $file =~ m{^(.*/)?[^/]*$};
        my @broken = grep { !-e(($folder // '') . $_) }
          slurp($file) =~ /\]\((?!https?:|#)([^)#]+)/g;
        is("@broken", '', "$file links to nothing that is not there");
    }
};

subtest 'units' => sub {
    my @units = tracked('conf/systemd/*.service');
    ok(@units > 0, 'there are units');
    for my $unit (@units) {
        my ($program) = slurp($unit) =~ m{^ExecStart=\S*/(\S+)}m;
        ok(-x "$build/bin/$program", "$unit starts a program we build");
        my ($exposure) =
          qx(systemd-analyze security --offline=true $unit 2>/dev/null) =~
          /Overall exposure level for \S+: ([\d.]+)/;
      SKIP: {
            skip 'no systemd-analyze here', 1 unless defined $exposure;
            cmp_ok($exposure, '<=', 1.5, "$unit is exposed 1.5 at most");
        }
    }
};

done_testing;
