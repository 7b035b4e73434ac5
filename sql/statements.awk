# statements.awk - Turns sql/statements.sql into a C header of #defines.
#
# A statement begins with a line "-- STMT_NAME: why" and ends with ";" at the
# end of a line.  Its text becomes one string literal; line ends and
# indentation become one space.  Anything that is neither fails the build.
#
# SPDX-License-Identifier: Apache-2.0
BEGIN {
    print "/* dl_statements.h - Generated from sql/statements.sql. */"
    print "#ifndef DL_STATEMENTS_H\n#define DL_STATEMENTS_H\n"
}
/^-- STMT_[A-Z0-9_]+: ./ {
    if (name != "") { fail(name " has no end") }
    name = $2
    sub(/:$/, "", name)
    text = ""
    print "/* " substr($0, 4) " */"
    next
}
/^[ \t]*--/ { next }
/^[ \t]*$/ { next }
{
    if (name == "") { fail("text outside a statement: " $0) }
    line = $0
    sub(/^[ \t]+/, "", line)
    sub(/[ \t]+$/, "", line)
    gsub(/\\/, "\\\\", line)
    gsub(/"/, "\\\"", line)
    text = text (text == "" ? "" : " ") line
    if (line ~ /;$/) {
        sub(/;$/, "", text)
        print "#define " name " \"" text "\"\n"
        name = ""
    }
}
function fail(reason) {
    print FILENAME ":" FNR ": " reason > "/dev/stderr"
    failed = 1
    exit 1
}
END {
    if (!failed && name != "") {
        print FILENAME ": " name " has no end" > "/dev/stderr"
        exit 1
    }
    if (!failed) { print "#endif" }
}
