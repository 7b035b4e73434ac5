# DataLake::Sql - the SQL below sql/ as text, and what of it is prepared.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Sql;
use strict;
use warnings;
use Exporter qw(import);
use DataLake::Process qw(slurp);

our @EXPORT_OK = qw(named plain prepared statements);

# SQL without comments.
sub plain {
    my ($text) = @_;
    $text =~ s/^\s*--.*\n//mg;
    return $text;
}

# The statements of a script.
sub statements {
    my ($text) = @_;
    return grep { /\S/ } split /;\s*\n/, plain($text) . "\n";
}

# {name => text} of the statements in FILE, and the names in order.
sub named {
    my ($file) = @_;
    my (%text, @order, $name);
    for (split /\n/, slurp($file)) {
        if (/^-- (STMT_\w+): ./) { push @order, $name = $1; next; }
        next if /^\s*--/ || !/\S/ || !$name;
        $text{$name} .= "$_\n";
        undef $name if /;\s*$/;
    }
    s/;\s*\z// for values %text;
    return (\%text, \@order);
}

# What the templates' words stand for, as dlc_wh_table.c, dl_change_apply.c and dl_wh_metrics.c
# fill them.
sub words {
    my ($text, $dbh) = @_;
    my @columns = map { $_->[0] } @{
        $dbh->selectall_arrayref(
            q{SELECT column_name FROM information_schema.columns
              WHERE table_schema = DATABASE()
                AND table_name = 'transaction_record'
              ORDER BY ordinal_position}
        )
    };
    return (
        table   => '`transaction_record`',
        into    => '`transaction_record`',
        time    => '`timestamp`',
        staging => '`staging_transaction_record`',
        columns => join(', ', map { "`$_`" } @columns),
        values  => join(', ', map { "s.`$_`" } @columns),
        assign  => join(', ', map { "f.`$_` = s.`$_`" } @columns),
        match   => 'f.`transaction_id` = s.`transaction_id`',
        key     => '`transaction_id`',
        child   => '`product`',
        child_match => 'c.`product_id` = s.`product_id`',
        later   => $text->{STMT_WORD_LATER},
        set     => '`user_name` = ?',
        where   => '`transaction_id` = ?',
        below   => join(' ', @$text{qw(STMT_WORD_BELOW STMT_WORD_BELOW_PART)}),
        tail    => join(' OR ', ($text->{STMT_WORD_RANGE}) x 256),
    );
}

# ([name, error or '']...) of every statement of TEXT (as of named) that is
# prepared, on DBH; makes the staging table.
sub prepared {
    my ($text, $dbh) = @_;
    my %word   = words($text, $dbh);
    my %change = (
        %word,
        table       => '`social_post`',
        child       => '`social_comment`',
        child_match => '`social_comment`.`post_id` = `social_post`.`post_id`',
        columns     => '`post_id`, `comment_id`',
        values      => '`social_post`.`post_id`, ?',
        assign      => '`comment_id` = VALUES(`comment_id`)',
        set         => $text->{STMT_WORD_SET} =~ s/\{column\}/likes/gr . ', '
          . $text->{STMT_WORD_SET_TIME} =~ s/\{column\}/timestamp/gr,
        where       => $text->{STMT_WORD_IS_TEXT} =~ s/\{table\}/social_post/gr =~ s/\{column\}/post_id/gr
    );
    my @done;
    $dbh->do('CREATE TEMPORARY TABLE staging_transaction_record '
          . 'LIKE transaction_record');
    for my $name (grep { !/^STMT_WORD_/ } sort keys %$text) {
        my $word = $name =~ /^STMT_(?:CHANGE_|RETIRE_CHILD)/ ? \%change : \%word;
        my $sql  = $text->{$name} =~ s/\{(\w+)\}/$word->{$1} \/\/ ''/ger;
        next
          if $sql !~ /^(?:SELECT|INSERT|UPDATE|DELETE)\b/ || $sql =~ /VALUES$/;
        my $well = eval {
            $dbh->do('PREPARE s FROM ?', undef, $sql);
            $dbh->do('DEALLOCATE PREPARE s');
            1;
        };
        push @done, [ $name, $well ? '' : $@ ];
    }
    return @done;
}

1;
