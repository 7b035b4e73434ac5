# DataLake::Source - the source tree as the house tests look at it.
# SPDX-License-Identifier: Apache-2.0
package DataLake::Source;
use strict;
use warnings;
use Exporter 'import';
use DataLake::Process qw(slurp);

our @EXPORT_OK = qw(bare functions includes sources symbols tracked);

# Files of the tree, tracked or new, that match PATTERNS (all of them when
# none is given).
sub tracked {
    my (@patterns) = @_;
    open my $list, '-|', qw(git -c safe.directory=* ls-files -co --exclude-standard --),
      @patterns
      or die "git: $!\n";
    chomp(my @files = <$list>);
    return grep { -f } @files;
}

# The C files and headers below FOLDERS.
sub sources {
    my (@folders) = @_;
    return tracked(map { ("$_/*.c", "$_/*.h") } @folders);
}

# What FILE includes, without quotes or angles.
sub includes {
    my ($file) = @_;
    return slurp($file) =~ /^\s*#\s*include\s*["<]([^">]+)[">]/mg;
}

# Names that LIBRARY (an archive or a shared object) defines for others.
sub symbols {
    my ($library) = @_;
    my @option = $library =~ /\.so$/ ? qw(-D) : ();
    open my $list, '-|', 'nm', @option, qw(--defined-only -g), $library
      or return;
    my %seen;
    while (<$list>) {
        $seen{$1} = 1 if /^[0-9a-f]+ [A-Z] (\w+)$/;
    }
    return sort keys %seen;
}

# TEXT of a C file with comments, strings and preprocessor lines blanked, each
# line where it was.
sub bare {
    my ($text) = @_;
    my $blank = sub { $_[0] =~ tr/\n//cdr };
    $text =~ s{(/\*.*?\*/)|(//[^\n]*)|"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'}
              {defined $1 ? $blank->($1) : defined $2 ? '' : '""'}gse;
    $text =~ s{^\s*#(?:[^\n]*\\\n)*[^\n]*}{$blank->($&)}gme;
    return $text;
}

# The functions that FILE defines: {name, line, lines, depth, parameters}.
# Relies on the house style: a function's braces stand alone in column one.
sub functions {
    my ($file)   = @_;
    my @line     = split /\n/, bare(slurp($file)), -1;
    my $head     = '';
    my @found;
    my $function;
    for my $number (0 .. $#line) {
        my $text = $line[$number];
        if ($function) {
            $function->{level} += () = $text =~ /\{/g;
            $function->{depth} = $function->{level}
              if $function->{level} > $function->{depth};
            $function->{level} -= () = $text =~ /\}/g;
            if ($text eq '}') {
                $function->{lines} = $number - $function->{line} + 1;
                push @found, $function;
                $function = undef;
                $head     = '';
            }
        }
        elsif ($text eq '{' && $head =~ /\b(\w+)\s*\((.*)\)\s*$/s) {
            my ($name, $parameters) = ($1, $2);
            my $count = $parameters =~ /^\s*(?:void)?\s*$/ ? 0 : 1;
            1 while $parameters =~ s/\([^()]*\)//g;
            $count += () = $parameters =~ /,/g;
            my $begin = $number - ($head =~ tr/\n//) + 1;
            $function = {
                name       => $name,
                line       => $begin,
                depth      => 0,
                level      => 0,
                parameters => $count
            };
            $function->{level} = 0;
        }
        elsif ($text =~ /^\s*$/ || $text =~ /[;}]\s*$/) {
            $head = '';
        }
        else {
            $head .= "$text\n";
        }
    }
    return @found;
}

1;
