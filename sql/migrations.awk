# migrations.awk - Turns sql/NNNN-name.sql and sql/accounts.sql into a header.
#
# Each file becomes an array of statements; comment lines go, line ends stay.
# A statement ends with ";" at the end of a line.  The list of migrations is
# checked to be 1, 2, 3 ... without a hole.
#
# SPDX-License-Identifier: Apache-2.0
BEGIN {
    print "/* dl_migrations.h - Generated from sql/: the schema. */"
    print "#ifndef DL_MIGRATIONS_H\n#define DL_MIGRATIONS_H\n"
    n = 0
}
FNR == 1 {
    finish()
    file = FILENAME
    sub(/.*\//, "", file)
    if (file ~ /^[0-9][0-9][0-9][0-9]-/) {
        n++
        if (substr(file, 1, 4) + 0 != n) { fail("migration " n " expected") }
        names[n] = file
        print "static const char *const dl_migration_" n "[] = {"
    }
    else {
        print "static const char *const dl_accounts_sql[] = {"
    }
    open = 1
}
/^[ \t]*--/ { next }
/^[ \t]*$/ { next }
{
    line = $0
    last = line ~ /;[ \t]*$/
    sub(/;[ \t]*$/, "", line)
    gsub(/\\/, "\\\\", line)
    gsub(/"/, "\\\"", line)
    text = text (text == "" ? "    \"" : "\\n\"\n    \"") line
    if (last) {
        print text "\","
        text = ""
    }
}
function finish() {
    if (text != "") { fail("the last statement has no end") }
    if (open) { print "    NULL\n};\n" }
    open = 0
}
function fail(reason) {
    print FILENAME ":" FNR ": " reason > "/dev/stderr"
    failed = 1
    exit 1
}
END {
    if (failed) { exit 1 }
    finish()
    print "static const struct {\n    const char *name;" \
          "\n    const char *const *statements;\n} dl_migrations[] = {"
    for (i = 1; i <= n; i++) {
        print "    { \"" names[i] "\", dl_migration_" i " },"
    }
    print "};\n\n#endif"
}
