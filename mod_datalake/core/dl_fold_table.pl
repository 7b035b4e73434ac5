# dl_fold_table.pl - Prints the header with Unicode's simple case folding.
#
# The data are perl's own (Unicode::UCD), the version is printed into the
# header, so that whoever stores folded text can say by which rules.  A page is
# 256 code points; page 0 of the map is that of code points that fold to
# themselves.  The pairs are the same the other way round, by what they fold to.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Unicode::UCD qw(all_casefolds);

my $folds = all_casefolds();
my (@index, @pages, @pairs);

for my $code (sort { $a <=> $b } keys %{$folds}) {
    my $simple = $folds->{$code}{simple};
    next if !defined $simple || $simple eq '';
    my $page = $code >> 8;
    if (!$index[$page]) {
        push @pages, { first => $page << 8, map => [ map { ($page << 8) + $_ } 0 .. 255 ] };
        $index[$page] = @pages;
    }
    $pages[ $index[$page] - 1 ]{map}[ $code & 255 ] = hex $simple;
    push @pairs, [ hex $simple, $code ];
}

print "/* dl_fold_table.h - Generated: simple case folding of Unicode. */\n";
print "#ifndef DL_FOLD_TABLE_H\n#define DL_FOLD_TABLE_H\n\n#include <stdint.h>\n\n";
printf "#define DL_FOLD_VERSION \"%s\"\n\n", Unicode::UCD::UnicodeVersion();
printf "#define DL_FOLD_INDEX %d\n#define DL_FOLD_PAGES %d\n\n", scalar @index, scalar @pages;
print "static const uint8_t dl_fold_index[DL_FOLD_INDEX] = {",
  join(',', map { $_ // 0 } @index), "};\n\n";
printf "#define DL_FOLD_PAIRS %d\n\n", scalar @pairs;
print "static const uint32_t dl_fold_pairs[DL_FOLD_PAIRS][2] = {\n",
  join(",\n", map { "{$_->[0],$_->[1]}" } sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } @pairs),
  "};\n\n";
print "static const uint32_t dl_fold_map[DL_FOLD_PAGES][256] = {\n",
  join(",\n", map { '{' . join(',', @{ $_->{map} }) . '}' } @pages), "};\n\n#endif\n";
