# DataLake::Crash - what a disk may hold after a power cut.
#
#   my $crash = DataLake::Crash->new($root, $strace_log);
#   while ($crash->step) {              # one system call further
#       $crash->build($folder, $how);   # a possible state, into FOLDER
#   }
#
# The log is of `strace -f -y -xx`.  A write, a change of length and a folder
# entry are pending until a sync covers them; a crash keeps any of the pending
# ones.  An fsync of a file covers its bytes alone, one of a folder the entries
# that were made, moved or removed in it; a rename is one change in both
# folders.  That is weaker than ext4, which orders more.  A call of one thread
# that ended beside calls of another has happened where it ended.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Crash;
use strict;
use warnings;

# --- Log ---------------------------------------------------------------------

sub unhex {
    my ($text) = @_;
    $text =~ s/\\x([0-9a-f]{2})/chr hex $1/ge;
    return $text;
}

# The arguments of one call, split at commas outside quotes and <paths>.
sub arguments {
    my ($text) = @_;
    my @found;
    while ($text =~ /\G\s*((?:"[^"]*"(?:\.\.\.)?|[^,"<]|<[^>]*>)+)(?:,|$)/gc) {
        push @found, $1;
    }
    return @found;
}

sub path_of {
    my ($argument) = @_;
    return $argument =~ /<(.*)>/ ? unhex($1) : undef;
}

sub string_of {
    my ($argument) = @_;
    die "cut string in the log: $argument\n" if $argument =~ /"\.\.\./;
    return $argument =~ /"([^"]*)"/ ? unhex($1) : undef;
}

sub new {
    my ($class, $root, $log) = @_;
    my $self = bless {
        root    => $root,
        calls   => [],
        at      => 0,
        acked   => 0,
        next    => 1,
        inode   => {},
        pending => []
    }, $class;
    $self->{top} = $self->make('d');
    open my $in, '<', $log or die "$log: $!\n";
    my %begun;    # thread -> call under way
    while (<$in>) {
        if (/^(\d+)\s+(\w+\(.*?),?\s*<unfinished \.\.\.>$/) {
            $begun{$1} = $2;
            next;
        }
        if (s/^(\d+)\s+<\.\.\. \w+ resumed>//) {
            my $thread = $1;
            my $begun  = delete $begun{$thread} // next;
            $_ = "$thread $begun" . (/^\)/ ? '' : ', ') . $_;
        }
        next unless /^(\d+)\s+(\w+)\((.*)\)\s+= (-?\d+)(?:<(.*)>)?/;
        next if $4 < 0;
        push @{ $self->{calls} },
          { name => $2, arguments => [ arguments($3) ], result => $4, thread => $1 };
    }
    return $self;
}

# How many writes were made by another thread than the first.
sub written_behind {
    my ($self) = @_;
    my $first = $self->{calls}[0]{thread};
    return scalar grep { $_->{name} eq 'pwrite64' && $_->{thread} != $first }
      @{ $self->{calls} };
}

# --- Live tree ---------------------------------------------------------------

# An inode: a file has live and durable bytes and what is pending between
# them; a folder has live and durable entries.
sub make {
    my ($self, $kind) = @_;
    my $id = $self->{next}++;
    $self->{inode}{$id} =
      $kind eq 'd'
      ? { kind => 'd', live => {}, durable => {} }
      : { kind => 'f', live => '', durable => '', pending => [] };
    return $id;
}

# The inode of the absolute PATH; undef: not in the lake or not there.
sub find {
    my ($self, $path) = @_;
    return undef unless defined $path;
    return $self->{top} if $path eq $self->{root};
    return undef unless $path =~ m{^\Q$self->{root}\E/(.*)$}s;
    my $id = $self->{top};
    for my $name (split m{/}, $1) {
        next if $name eq '.';
        $id = $self->{inode}{$id}{live}{$name};
        return undef unless defined $id;
    }
    return $id;
}

sub join_path {
    my ($folder, $name) = @_;
    return $name =~ m{^/} ? $name : "$folder/$name";
}

# Folder inode and last name of a path.
sub place {
    my ($self, $path) = @_;
    return unless $path =~ m{^(.*)/([^/]+)$}s;
    my ($folder, $name) = ($self->find($1), $2);
    return defined $folder ? ($folder, $name) : ();
}

sub change_entry {
    my ($self, @changes) = @_;    # [folder, name, inode or undef]...
    for my $change (@changes) {
        my ($folder, $name, $id) = @$change;
        my $live = $self->{inode}{$folder}{live};
        if (defined $id) { $live->{$name} = $id }
        else             { delete $live->{$name} }
    }
    push @{ $self->{pending} }, \@changes;
}

sub write_bytes {
    my ($bytes, $data, $at) = @_;
    $bytes .= "\0" x ($at - length $bytes) if length $bytes < $at;
    substr($bytes, $at, length $data) = $data;
    return $bytes;
}

sub cut_bytes {
    my ($bytes, $length) = @_;
    return length $bytes >= $length
      ? substr $bytes, 0, $length
      : $bytes . "\0" x ($length - length $bytes);
}

# --- Calls -------------------------------------------------------------------

sub call_openat {
    my ($self, $call) = @_;
    my ($folder, $name, $flags) = @{ $call->{arguments} };
    my $path = join_path(path_of($folder) // '', string_of($name));
    my $id   = $self->find($path);
    if (!defined $id && $flags =~ /O_CREAT/) {
        my ($above, $last) = $self->place($path) or return;
        $self->change_entry([ $above, $last, $self->make('f') ]);
    }
    elsif (defined $id && $flags =~ /O_TRUNC/) {
        $self->cut($id, 0);
    }
}

sub cut {
    my ($self, $id, $length) = @_;
    my $file = $self->{inode}{$id};
    return if length $file->{live} == $length;
    $file->{live} = cut_bytes($file->{live}, $length);
    push @{ $file->{pending} }, [ 'cut', $length ];
}

sub call_mkdirat {
    my ($self, $call) = @_;
    my ($folder, $name) = @{ $call->{arguments} };
    my ($above, $last) =
      $self->place(join_path(path_of($folder) // '', string_of($name)))
      or return;
    $self->change_entry([ $above, $last, $self->make('d') ]);
}

sub call_pwrite64 {
    my ($self, $call) = @_;
    my ($fd, $data, undef, $at) = @{ $call->{arguments} };
    my $id = $self->find(path_of($fd)) // return;
    my $file  = $self->{inode}{$id};
    my $bytes = substr string_of($data), 0, $call->{result};
    $file->{live} = write_bytes($file->{live}, $bytes, $at);
    push @{ $file->{pending} }, [ 'write', $bytes, $at ];
}

sub call_ftruncate {
    my ($self, $call) = @_;
    my $id = $self->find(path_of($call->{arguments}[0])) // return;
    $self->cut($id, $call->{arguments}[1]);
}

sub call_fsync {
    my ($self, $call) = @_;
    my $id = $self->find(path_of($call->{arguments}[0])) // return;
    $self->sync($id);
}

sub call_syncfs {
    my ($self) = @_;
    $self->sync($_) for keys %{ $self->{inode} };
}

sub sync {
    my ($self, $id) = @_;
    my $inode = $self->{inode}{$id};
    if ($inode->{kind} eq 'f') {
        $inode->{durable} = $inode->{live};
        $inode->{pending} = [];
        return;
    }
    my @left;
    for my $changes (@{ $self->{pending} }) {
        if (grep { $_->[0] == $id } @$changes) {
            $self->make_durable($_) for @$changes;
        }
        else {
            push @left, $changes;
        }
    }
    $self->{pending} = \@left;
}

sub make_durable {
    my ($self, $change) = @_;
    my ($folder, $name, $id) = @$change;
    my $durable = $self->{inode}{$folder}{durable};
    if (defined $id) { $durable->{$name} = $id }
    else             { delete $durable->{$name} }
}

sub call_renameat {
    my ($self, $call) = @_;
    my ($from_fd, $from, $to_fd, $to, $flags) = @{ $call->{arguments} };
    my ($d1, $n1) =
      $self->place(join_path(path_of($from_fd), string_of($from))) or return;
    my ($d2, $n2) = $self->place(join_path(path_of($to_fd), string_of($to)))
      or return;
    my $moved = $self->{inode}{$d1}{live}{$n1};
    my $back  = ($flags // '') =~ /EXCHANGE/ ? $self->{inode}{$d2}{live}{$n2} : undef;
    $self->change_entry([ $d1, $n1, $back ], [ $d2, $n2, $moved ]);
}

sub call_linkat {
    my ($self, $call) = @_;
    my ($from_fd, $from, $to_fd, $to) = @{ $call->{arguments} };
    my $id = $self->find(join_path(path_of($from_fd), string_of($from))) // return;
    my ($folder, $name) =
      $self->place(join_path(path_of($to_fd), string_of($to))) or return;
    $self->change_entry([ $folder, $name, $id ]);
}

sub call_unlinkat {
    my ($self, $call) = @_;
    my ($fd, $name) = @{ $call->{arguments} };
    my ($folder, $last) =
      $self->place(join_path(path_of($fd), string_of($name))) or return;
    $self->change_entry([ $folder, $last, undef ]);
}

sub call_write {
    my ($self, $call) = @_;
    my ($fd, $text) = @{ $call->{arguments} };
    $self->{acked}++ if $fd =~ /^1</ && string_of($text) =~ /^ack/;
}

my %CALLS = (
    openat    => \&call_openat,
    mkdirat   => \&call_mkdirat,
    pwrite64  => \&call_pwrite64,
    ftruncate => \&call_ftruncate,
    fsync     => \&call_fsync,
    fdatasync => \&call_fsync,
    syncfs    => \&call_syncfs,
    renameat  => \&call_renameat,
    renameat2 => \&call_renameat,
    linkat    => \&call_linkat,
    unlinkat  => \&call_unlinkat,
    write     => \&call_write,
);

# Go one call further; false at the end of the log.
sub step {
    my ($self) = @_;
    my $call = $self->{calls}[ $self->{at}++ ] or return 0;
    my $run  = $CALLS{ $call->{name} };
    $run->($self, $call) if $run;
    return 1;
}

sub acknowledged { return $_[0]{acked} }

# How many changes are pending.
sub pending {
    my ($self) = @_;
    my $n = @{ $self->{pending} };
    $n += @{ $_->{pending} // [] } for values %{ $self->{inode} };
    return $n;
}

# --- States ------------------------------------------------------------------

# What becomes of a pending write: all of it, nothing, its blocks of SIZE by
# chance, or zeros in a file that has grown.
sub torn {
    my ($bytes, $write, $size) = @_;
    my (undef, $data, $at) = @$write;
    my $done = 0;
    while ($done < length $data) {
        my $len = $size - ($at + $done) % $size;
        $len = length($data) - $done if $len > length($data) - $done;
        $bytes = write_bytes($bytes, substr($data, $done, $len), $at + $done)
          if rand() < 0.5;
        $done += $len;
    }
    return $bytes;
}

sub crashed_write {
    my ($bytes, $write, $how) = @_;
    my (undef, $data, $at) = @$write;
    my $fate = $how eq 'random' ? (qw(keep drop 512 4096 zero))[ rand 5 ] : $how;
    return $bytes if $fate eq 'drop';
    return write_bytes($bytes, $data, $at) if $fate eq 'keep';
    return write_bytes($bytes, "\0" x length $data, $at)
      if $fate eq 'zero' && $at >= length $bytes;
    return torn($bytes, $write, $fate eq '4096' ? 4096 : 512);
}

sub crashed_file {
    my ($file, $how) = @_;
    my $bytes = $file->{durable};
    for my $change (@{ $file->{pending} }) {
        if ($change->[0] eq 'write') {
            $bytes = crashed_write($bytes, $change, $how);
        }
        elsif ($how eq 'keep' || ($how ne 'drop' && rand() < 0.5)) {
            $bytes = cut_bytes($bytes, $change->[1]);
        }
    }
    return $bytes;
}

# The state after a crash now: path -> bytes (undef: a folder).  DATA says
# what becomes of pending writes, ENTRIES of pending folder changes: keep,
# drop, random, and for data 512, 4096, zero.
sub state {
    my ($self, $data, $entries) = @_;
    my %folders = map { $_ => { %{ $self->{inode}{$_}{durable} } } }
      grep { $self->{inode}{$_}{kind} eq 'd' } keys %{ $self->{inode} };
    for my $changes (@{ $self->{pending} }) {
        next if $entries eq 'drop' || ($entries eq 'random' && rand() < 0.5);
        for my $change (@$changes) {
            my ($folder, $name, $id) = @$change;
            if (defined $id) { $folders{$folder}{$name} = $id }
            else             { delete $folders{$folder}{$name} }
        }
    }
    my (%state, %bytes);
    my @todo = ([ '', $self->{top} ]);
    while (my $next = shift @todo) {
        my ($path, $id) = @$next;
        my $inode = $self->{inode}{$id};
        if ($inode->{kind} eq 'f') {
            $state{$path} = $bytes{$id} //= crashed_file($inode, $data);
            next;
        }
        $state{$path} = undef if $path ne '';
        push @todo, map { [ "$path/$_", $folders{$id}{$_} ] } sort keys %{ $folders{$id} };
    }
    return \%state;
}

# Make STATE in the folder ROOT, which exists and is empty.
sub build {
    my ($root, $state) = @_;
    for my $path (sort keys %$state) {
        if (!defined $state->{$path}) {
            mkdir "$root$path" or die "$root$path: $!\n";
            next;
        }
        open my $out, '>:raw', "$root$path" or die "$root$path: $!\n";
        print {$out} $state->{$path};
        close $out or die "$root$path: $!\n";
    }
}

1;
