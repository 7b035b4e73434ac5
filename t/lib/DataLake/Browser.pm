# DataLake::Browser - pages in headless Chromium, for tests.
#
#   my @seen = browse({ url => ..., wait => 'text', screenshot => FILE }, ...);
#   $seen[0]{requests}      # addresses that were asked for
#
# Drives the machine's own Chromium by playwright-core, which npm installs
# once per clone (t/lib/browser).
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Browser;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use JSON::PP ();
use DataLake::Process qw(locked run_command slurp spit);

our @EXPORT_OK = qw(browse has_browser);

my $TOP = abs_path(dirname(__FILE__) . '/../../..');

# Whether this machine has a browser to drive.
sub has_browser { return -x '/usr/bin/chromium'; }

# The folder with playwright-core, installed when its lock file has changed.
sub prepare {
    my $home = "$TOP/build/browser";
    my $from = "$TOP/t/lib/browser";
    locked(
        "$home.lock",
        sub {
            my $lock = slurp("$from/package-lock.json");
            return if (slurp("$home/installed") // '') eq $lock;
            make_path($home);
            copy("$from/$_", "$home/$_") or die "$from/$_: $!\n"
              for qw(package.json package-lock.json .npmrc);
            run_command("$home.log", 'npm', '--prefix', $home, '--cache', "$TOP/build/npm", 'ci', '--silent');
            spit("$home/installed", $lock);
        }
    );
    copy("$from/browse.mjs", "$home/browse.mjs") or die "browse.mjs: $!\n";
    return $home;
}

# What happened to each of JOBS, described in browse.mjs.
sub browse {
    my (@jobs) = @_;
    my $home = prepare();
    my $file = "$home/jobs-$$.json";
    spit($file, JSON::PP->new->utf8->encode(\@jobs));
    open my $out, '-|', 'node', "$home/browse.mjs", $file or die "node: $!\n";
    local $/;
    my $told = <$out>;
    close $out or die "browse.mjs failed\n";
    unlink $file;
    return @{ JSON::PP->new->utf8->decode($told) };
}

1;
