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
    my ($chain, $value);
    for my $path (sort glob "$self->{dir}/*.open $self->{dir}/*.log") {
        my ($name, $number) = $path =~ m{/([^/.]+)\.(\d{6})\.(?:open|log)$}
          or next;
        $value = $self->begin($name) if $name ne ($chain // '');
        $chain = $name;
        $value = $self->read_file($path, $value);
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
