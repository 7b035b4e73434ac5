# DataLake::Routes - the route table as the compiler sees it.
#
#   for my $route (routes()) {
#       print "$route->{method} $route->{template} $route->{class}\n";
#       print "  $_->{name} $_->{type}\n" for @{ $route->{params} };
#       print "  $_->{name} $_->{type}\n" for @{ $route->{members} };
#   }
#
# Read from the preprocessed sources, so that a new row, parameter or member
# is tested without being named in a test.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Routes;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use DataLake::Process qw(slurp);

our @EXPORT_OK = qw(address block rows_of routes sample);

my $TOP = abs_path(dirname(__FILE__) . '/../../..');

# The text between the brace at POSITION of TEXT and the one that closes it;
# braces inside of literals do not count.
sub block {
    my ($text, $position) = @_;
    my $depth = 0;
    pos($text) = $position;
    while ($text =~ /\G(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|([{}])|[^{}"']+)/gc)
    {
        next unless defined $1;
        $depth += $1 eq '{' ? 1 : -1;
        return substr $text, $position + 1, pos($text) - $position - 2
          if !$depth;
    }
    die "no end of the block at $position\n";
}

# Adjacent string literals of TEXT, joined and without quotes.
sub literal {
    my ($text) = @_;
    return join '', map { s/\\(.)/$1/gr } $text =~ /"((?:[^"\\]|\\.)*)"/g;
}

# The rows of the initialiser TEXT that have a name: {name, alias, type,
# in_path, required, min, max, choices}.
sub rows_of {
    my ($text) = @_;
    my @rows;
    while ($text =~ /\{/g) {
        my $row = block($text, $-[0]);
        pos($text) = $-[0] + length($row) + 2;
        my %row;
        for my $text_of (qw(name alias fallback)) {
            my ($all) = $row =~ /\.$text_of\s*=\s*((?:"(?:[^"\\]|\\.)*"\s*)+)/;
            $row{$text_of} = literal($all) if defined $all;
        }
        next unless defined $row{name};
        ($row{type}) = $row =~ /\.type\s*=\s*MDL_(?:PARAM|MEMBER)_(\w+)/;
        $row{type} //= 'TEXT';    # the first value of both enums
        $row{$_} = $row =~ /\.$_\s*=\s*(?:true|1)\b/ ? 1 : 0
          for qw(in_path required resource nullable secret ignored);
        for my $number (qw(min max)) {
            ($row{$number}) = $row =~ /\.$number\s*=\s*\(*(-?\d+)/;
        }
        ($row{choices}) = $row =~ /\.choices\s*=\s*(\w+)/;
        push @rows, \%row;
    }
    return @rows;
}

# {file => flags} of the compiler for the module's files.
sub flags {
    my %flags;
    for (split /\n/, qx(make -s -C '$TOP' --no-print-directory flags)) {
        $flags{$1} = $2 if m{^(mod_datalake/mdl_\S+\.c) (.*)};
    }
    return \%flags;
}

# FILE after the preprocessor, without its line marks.
sub preprocessed {
    my ($file, $flags) = @_;
    my $text = qx(cd '$TOP' && gcc $flags->{$file} -E -P '$file');
    die "$file is not to be preprocessed\n" if $? || $text eq '';
    return $text;
}

# Every initialised array or struct TYPE NAME of the sources: {name => text}.
sub tables {
    my ($flags) = @_;
    my %table;
    for my $file (sort keys %$flags) {
        next unless slurp("$TOP/$file") =~
          /\bconst\s+(?:mdl_(?:param|member|body|route)|char\s*\*\s*const)\s+\w+\s*(?:\[\])?\s*=/;
        my $text = preprocessed($file, $flags);
        while ($text =~ /\bconst\s+(?:mdl_(?:param|member|body|route)|char\s*\*\s*const)\s+(\w+)\s*(?:\[\])?\s*=\s*(?=\{)/g)
        {
            my ($name, $at) = ($1, $+[0]);
            my $inner = block($text, $at);
            # Static tables of two files may share a name: each file has its own.
            $table{$name} //= $inner;
            $table{"$file:$name"} = $inner;
            $table{"$name\@file"} //= $file;
        }
    }
    return \%table;
}

# The table NAME as the file of the table FROM sees it.
sub seen_from {
    my ($table, $from, $name) = @_;
    my $file = $table->{"$from\@file"} // '';
    return $table->{"$file:$name"} // $table->{$name};
}

# Rows of the table NAME, with the choices of ENUMs as texts.
sub typed_rows {
    my ($table, $name, $from) = @_;
    my $text = seen_from($table, $from, $name)
      // die "there is no table $name\n";
    my @rows = rows_of($text);
    for my $row (grep { defined $_->{choices} } @rows) {
        my $choices = seen_from($table, $from, $row->{choices}) // '';
        $row->{choices} = [ $choices =~ /"((?:[^"\\]|\\.)*)"/g ];
    }
    return \@rows;
}

# Every row of the route table, one a method: {method, template, class,
# resource, formats, cost, params, members, media, limit, handler, doc}.
sub routes {
    my $flags = flags();
    my $table = tables($flags);
    my $rows  = $table->{mdl_route_table} // die "no route table\n";
    my @routes;
    while ($rows =~ /\{/g) {
        my $row = block($rows, $-[0]);
        pos($rows) = $-[0] + length($row) + 2;
        my @cell = map { s/^\s+|\s+$//gr }
          $row =~ /((?:"(?:[^"\\]|\\.)*"|\([^()]*(?:\([^()]*\))*[^()]*\)|[^,"()])+)(?:,|\z)/g;
        next unless @cell >= 10;
        my ($methods, $template, $class, $resource, $formats, $cost, $params,
            $body, $handler, $doc) = @cell;
        my %route = (
            template => literal($template),
            class    => $class =~ s/^MDL_CLASS_//r,
            resource => $resource =~ /^"/ ? literal($resource) : undef,
            formats  => $formats =~ s/^MDL_FORMAT_//r,
            cost     => $cost,
            handler  => $handler,
            doc      => literal($doc),
            params   => $params =~ /^mdl_/
            ? typed_rows($table, $params, $params)
            : [],
            members => [],
        );
        if ($body =~ /^&?\(?&?(mdl_\w+)/) {
            my $name = $1;
            my $text = $table->{$name} // die "there is no body $name\n";
            my ($members) = $text =~ /\.members\s*=\s*&?(\w+)/;
            $route{body}    = $name;
            $route{media}   = [ $text =~ /MDL_MEDIA_(\w+)/g ];
            $route{limit}   = $text =~ /1048576/ ? 1048576 : 65536;
            $route{members} = typed_rows($table, $members, $name)
              if defined $members;
        }
        for my $name ($route{template} =~ /\{(\w+)\}/g) {
            push @{ $route{params} }, { name => $name, type => 'TEXT', in_path => 1 }
              unless grep { $_->{name} eq $name } @{ $route{params} };
        }
        push @routes, { %route, method => $_ }
          for $methods =~ /MDL_METHOD_(\w+)/g;
    }
    return @routes;
}

# A value that ROW (a parameter or member) takes; for a test that changes
# another one.
sub sample {
    my ($row) = @_;
    my %by_name = (
        dataset  => 'transaction_log',
        resource => 'transaction_log',
        slug     => 'not-found',
        username => 'somebody',
        user     => 'somebody',
        email    => 'somebody@example.org',
        password => 'correct horse battery',
        date     => '2026-01-01',
    );
    return $row->{choices}[0] // '' if ref $row->{choices};
    return $by_name{ $row->{name} } if defined $by_name{ $row->{name} };
    my %by_type = (
        INT  => $row->{fallback} // $row->{min} // 1,
        DATE => '2026-01-01',
        TIME => '2026-01-01T00:00:00Z',
        BOOL => 'true',
        ANY  => '{}',
        ADDRESS => '192.0.2.7',
    );
    return $by_type{ $row->{type} } // $row->{fallback} // 'sample';
}

# The path and query of ROUTE with VALUES ({name => bytes}) in place; what is
# required and not among them gets a sample.
sub address {
    my ($route, %value) = @_;
    my $path  = $route->{template};
    my @query = ();
    for my $row (@{ $route->{params} }) {
        my $name = $row->{name};
        my $text = $value{$name};
        $text //= sample($row) if $row->{required} || $row->{in_path};
        next unless defined $text;
        $text =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge;
        if   ($row->{in_path}) { $path =~ s/\{\Q$name\E\}/$text/; }
        else                   { push @query, "$name=$text"; }
    }
    return @query ? "$path?" . join '&', @query : $path;
}

1;
