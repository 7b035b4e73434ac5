#!/usr/bin/perl
# 10-loop.t - the consuming loop against planned faults, in memory.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);

exec "$Bin/../build/tools/test_loop" or die "build/tools/test_loop: $!\n";
