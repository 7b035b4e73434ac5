# 00-layers.t - who may include and link whom (architecture: the folders).
#
# core knows neither side, the sides never meet, librdkafka and httpd stay
# where they belong.  A rule that finds no file to look at fails.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Source qw(includes sources symbols);

chdir "$FindBin::Bin/.." or die "$!\n";
my $build = $ENV{DL_BUILD} // 'build';

# Files of FOLDERS whose path is not in EXCEPT and that include HEADER.
sub who_includes {
    my ($header, $files, @except) = @_;
    my %allowed = map { ($_ => 1) } @except;
    my @found;
    for my $file (@$files) {
        next if $allowed{$file};
        push @found, map { "$file: $_" } grep { /$header/ } includes($file);
    }
    return @found;
}

# One rule: FILES (at least one) never include HEADER.
sub never {
    my ($sentence, $header, $files, @except) = @_;
    ok(@$files > 0, "there is something to check: $sentence") or return;
    my @found = who_includes($header, $files, @except);
    is("@found", '', $sentence);
    return;
}

my @core      = sources('mod_datalake/core');
my @module    = grep { !m{/core/} } sources('mod_datalake');
my @consumers = sources('consumers');

my $httpd = qr{^(?:httpd|http_\w+|ap_\w+|apache_\w+|mod_\w+|mpm_\w+|
  util_(?:filter|script|mutex|md5|cookies|ldap|xml|ebcdic|time|varbuf|cfgtree|
  charset)|scoreboard)\.h$}x;

never('core never includes httpd', $httpd, \@core);
never('core never includes librdkafka', qr/rdkafka/, \@core);
never('core includes nothing of the request side', qr/^mdl_/,  \@core);
never('core includes nothing of the consumers',    qr/^dlc_/,  \@core);
never('the request side includes nothing of the consumers',
    qr/^dlc_/, \@module);
never(
    'the request side sees librdkafka in mdl_kafka alone',
    qr/rdkafka|^mdl_kafka_client[.]h$/,
    \@module, glob 'mod_datalake/mdl_kafka*'
);
never('consumers include nothing of the request side',
    qr/^mdl_/, \@consumers);
never('consumers never include httpd', $httpd, \@consumers);
never(
    'the MySQL client is for the warehouse files of core',
    qr/^(?:mysql|mariadb|errmsg|mysqld_error)\b/,
    [ grep { !m{/dl_wh\w*\.[ch]$} } @core, @module, @consumers ]
);
never(
    'cryptography is for secrets, checksums, the audit log, cursors, windows and ETags',
    qr{^(?:openssl/|sodium)},
    [
        grep { !m{/(?:dl_(?:audit|jws|keyset|token|password|sha256|secret)\w*
               |mdl_cursor\w*|mdl_window\w*|mdl_auth\w*|mdl_answer)\.[ch]$}x } @core,
        @module
    ]
);
never('lake files include no warehouse file',
    qr/^dl_wh/, [ grep { m{/dl_lake\w*\.[ch]$} } @core ]);
never('warehouse files include no lake file',
    qr/^dl_lake/, [ grep { m{/dl_wh\w*\.[ch]$} } @core ]);

subtest 'every symbol has the prefix of its folder' => sub {
    my %library = (
        "$build/lib/libdatalake.a" => qr/^dl_/,
        "$build/lib/libdlc.a"      => qr/^dlc_/,
        "$build/mod_datalake.so"   => qr/^(?:mdl_|dl_|datalake_module$)/,
    );
    for my $library (sort keys %library) {
        my @symbols = symbols($library);
        ok(@symbols > 0, "$library defines something");
        my @other = grep { !/$library{$library}/ } @symbols;
        is("@other", '', "nothing else is visible in $library");
    }
};

subtest 'the module needs nothing that is not there' => sub {
    my @needs = grep { /\b(?:dl|mdl|dlc)_/ }
      split /\n/, qx(nm -D --undefined-only $build/mod_datalake.so);
    is("@needs", '', 'httpd can load it');
};

subtest 'names of the system are left alone' => sub {
    my %theirs = map { ($_ => 1) }
      qw(dl_iterate_phdr dl_phdr_info dl_find_object dladdr dlopen dlsym);
    my @bad = grep { $theirs{$_} } symbols("$build/lib/libdatalake.a");
    is("@bad", '', 'no name that <link.h> or <dlfcn.h> has');
};

subtest 'the unit tests link core alone' => sub {
    my @tests = glob "$build/unit/test_*";
    ok(@tests > 0, 'there are unit tests');
    for my $test (@tests) {
        my $needs = qx(ldd $test);
        unlike($needs, qr/rdkafka|libhttpd|libsystemd/,
            "$test needs neither librdkafka nor httpd");
    }
};

done_testing;
