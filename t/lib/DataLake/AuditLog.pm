# DataLake::AuditLog - a second reader of the audit files, written from AUDIT.md
# alone: what datalakectl says is compared with it.
#
#   my $log = DataLake::AuditLog->new(dir => ..., key => ...)->read;
#   $log->faults          sentences, none when the log is whole
#   $log->entries         [{ members, user, address, query_params, body }]
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::AuditLog;
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 sha256_hex);
use Encode qw(encode_utf8);
use JSON::PP ();
use DataLake::Process qw(slurp);

my @TEXTS = qw(user address query_params body);

sub new {
    my ($class, %option) = @_;
    return bless { faults => [], entries => [], lines => 0, %option }, $class;
}

sub faults  { my ($self) = @_; return @{ $self->{faults} }; }
sub entries { my ($self) = @_; return @{ $self->{entries} }; }

sub fault {
    my ($self, $what) = @_;
    push @{ $self->{faults} }, $what;
    return;
}

# The chain's value before the first line of NAME.
sub begin {
    my ($self, $name) = @_;
    return hmac_sha256("datalake audit 1\n$name", $self->{key});
}

# Read all files.
sub read {
    my ($self) = @_;
    my ($chain, $value, $cut);
    for my $path (sort glob "$self->{dir}/*.open $self->{dir}/*.log") {
        my ($name, $number) = $path =~ m{/([^/.]+)\.(\d{6})\.(?:open|log)$}
          or next;
        if ($name ne ($chain // '')) {
            $cut   = $self->read_cut($name);
            $value = $cut && $number > 1 ? pack 'H*', $cut->{value} : $self->begin($name);
            $self->fault("$path: those before it are missing")
              if $number != 1 + ($cut && $number > 1 ? $cut->{removed} : 0);
        }
        $chain = $name;
        $value = $self->read_file($path, $value);
    }
    return $self;
}

# The newest cut of the chain NAME, when it has one that the key signed.
sub read_cut {
    my ($self, $name) = @_;
    my ($path) = reverse sort glob "$self->{dir}/$name.*.cut" or return;
    my $line = slurp($path) // return;
    my $cut = eval { JSON::PP->new->decode($line) };
    my ($sealed, $claimed) = $line =~ /^(\{.*?),"chain":"([0-9a-f]{64})"\}\n\z/;
    if (!$cut || !defined $sealed
        || unpack('H*', hmac_sha256(pack('H*', $cut->{value}) . $sealed, $self->{key})) ne $claimed)
    {
        $self->fault("$path: no cut");
        return;
    }
    return $cut;
}

# Put a cut in the place of PATH, a chain's only file, under KEY.
sub cut_away {
    my ($self, $path, $key) = @_;
    my ($name, $number) = $path =~ m{/([^/.]+)\.(\d{6})\.};
    my $text  = slurp($path);
    my $lines = $text =~ tr/\n//;
    my ($value)  = $text =~ /"chain":"([0-9a-f]{64})"\}\n\z/;
    my ($end)    = $text =~ /\n\{"end":"([a-z-]+)"[^\n]*\n\z/;
    my $sealed = sprintf '{"removed":%d,"id":"%s","lines":%d,"value":"%s","newest":"2001-01-01T00:00:00.000000Z",'
      . '"end":"%s","at":"2026-01-01T00:00:00.000000Z"', $number, $name, $lines, $value, $end;
    my $chain = unpack 'H*', hmac_sha256(pack('H*', $value) . $sealed, $key);
    open my $out, '>', $path =~ s/log$/cut/r or die "$path: $!\n";
    print $out qq($sealed,"chain":"$chain"}\n);
    close $out or die "$path: $!\n";
    unlink $path or die "$path: $!\n";
    return;
}

# Write the chain NAME into the folder: a file for each of FILES, a list of the
# times of its entries, the last one stopped.
sub write_chain {
    my ($self, $name, @files) = @_;
    my ($value, $lines) = ($self->begin($name), 0);
    my $line = sub {
        my ($sealed, $rest) = @_;
        $value = hmac_sha256($value . $sealed, $self->{key});
        $lines++;
        return sprintf '%s,"chain":"%s"%s' . "\n", $sealed, unpack('H*', $value), $rest;
    };
    for my $number (1 .. @files) {
        my @times = @{ $files[ $number - 1 ] };
        my $text  = $line->(sprintf('{"audit":1,"id":"%s","file":%d,"lines":%d,"previous":"%s","at":"%s"',
                $name, $number, $lines, unpack('H*', $value), $times[0]), '}');
        $text .= $line->(qq({"timestamp":"$_","user_id":null,"method":"GET","endpoint":"/old","resource":null,)
              . '"action":"read","status":200,"bytes":0,"duration_ms":1,"request_id":"old",'
              . '"user_sha256":null,"address_sha256":null,"query_params_sha256":null,"body_sha256":null',
            ',"open":{}}') for @times;
        my $end = $number < @files ? 'rotated' : 'stopped';
        $text .= $line->(qq({"end":"$end","cut":0,"at":"$times[-1]"), '}');
        my $path = sprintf '%s/%s.%06d.log', $self->{dir}, $name, $number;
        open my $out, '>', "$path.made" or die "$path: $!\n";
        print $out $text;
        close $out or die "$path: $!\n";
        rename "$path.made", $path or die "$path: $!\n";
    }
    return $self;
}

# Read PATH, whose chain stands at VALUE; returns where it stands then.
sub read_file {
    my ($self, $path, $value) = @_;
    my $text = slurp($path)
      // slurp($path =~ s/open$/log/r) // '';    # it was ended meanwhile
    $text =~ s/[^\n]*\z//;    # a line being written
    my $n = 0;
    for my $line (split /\n/, $text) {
        my $at = "$path line " . ++$n;
        $value = $self->read_line($line, $value, $at);
    }
    return $value;
}

sub read_line {
    my ($self, $line, $value, $at) = @_;
    $self->{lines}++;
    $self->fault("$at: not printable ASCII") if $line =~ /[^\x20-\x7e]/;
    my ($sealed, $claimed) = $line =~ /^(\{.*?),"chain":"([0-9a-f]{64})"/;
    if (!defined $sealed) {
        $self->fault("$at: no line");
        return $value;
    }
    $value = hmac_sha256($value . $sealed, $self->{key});
    $self->fault("$at: another value") if unpack('H*', $value) ne $claimed;
    my $entry = eval { JSON::PP->new->decode($line) };
    if (!$entry) {
        $self->fault("$at: no JSON");
    }
    elsif ($entry->{open}) {
        $self->read_entry($entry, $at);
    }
    return $value;
}

sub read_entry {
    my ($self, $entry, $at) = @_;
    for my $name (@TEXTS) {
        my $open = $entry->{open}{$name};
        my $hash = $entry->{"${name}_sha256"};
        $entry->{$name} = $open ? $open->{value} : undef;
        next unless $open;
        $self->fault("$at: $name does not match its hash")
          if sha256_hex($open->{salt} . encode_utf8($open->{value})) ne
          ($hash // '');
    }
    push @{ $self->{entries} }, $entry;
    return;
}

# PATH with its lines changed by CODE and its chain computed anew, as somebody
# with the key could.
sub rebuild {
    my ($self, $path, $code) = @_;
    my ($name) = $path =~ m{/([^/.]+)\.\d{6}\.};
    my $value  = $self->begin($name);
    my $text   = '';
    for my $line (split /\n/, slurp($path)) {
        local $_ = $line;
        $code->();
        my ($sealed) = /^(\{.*?),"chain":"/;
        $value = hmac_sha256($value . $sealed, $self->{key});
        my $hex = unpack 'H*', $value;
        s/,"chain":"[0-9a-f]{64}"/,"chain":"$hex"/;
        $text .= "$_\n";
    }
    return $text;
}

1;
