# DataLake::Python - test tools that come from PyPI, in a folder of the clone.
#
#   my $python = python_with('duckdb==1.5.5');   # build/python/bin/python3
#
# Tools of tests and benchmarks only; the product needs none of them.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Python;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use DataLake::Process qw(locked run_command slurp spit);

our @EXPORT_OK = qw(python_with);

my $TOP = abs_path(dirname(__FILE__) . '/../../..');

# The python that can import PACKAGES, each pinned as name==version; what is
# missing is installed once per clone.
sub python_with {
    my (@packages) = @_;
    my $home = "$TOP/build/python";
    locked(
        "$home.lock",
        sub {
            my $python = "$home/bin/python3";
            run_command("$home.log", '/usr/bin/python3', '-m', 'venv', $home)
              if !-x $python;
            for my $package (@packages) {
                next if -e "$home/have.$package";
                run_command("$home.log", $python,
                    qw(-m pip install --quiet --disable-pip-version-check --no-cache-dir),
                    $package);
                spit("$home/have.$package", '');
            }
        }
    );
    return "$home/bin/python3";
}

1;
