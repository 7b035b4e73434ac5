# DataLake::FaultProxy - a TCP relay on a free port that can misbehave.
#
#   my $proxy = DataLake::FaultProxy->new(to => 3306, dir => $scratch);
#   $proxy->mode('hole');      # accepts, and never says a word
#
# Modes: pass; hole (connections stay open, no byte moves, new ones are not
# even accepted by us, only by the kernel's queue); refuse (nothing listens,
# open connections are reset).  A change holds within 50 ms.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::FaultProxy;
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER);
use DataLake::Process qw(free_port slurp spit wait_until port_answers);

# Options: to (port of 127.0.0.1), dir (scratch folder).
sub new {
    my ($class, %option) = @_;
    my $self = bless {%option}, $class;
    $self->{port} = free_port();
    $self->{file} = "$self->{dir}/proxy.$self->{port}.mode";
    spit($self->{file}, 'pass');
    my $parent = $$;
    $self->{pid} = fork // die "fork: $!\n";
    if ($self->{pid} == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';
        DataLake::Process::die_with_parent($parent);
        eval { $self->relay; 1 } or print STDERR "faultproxy: $@";
        POSIX::_exit(0);
    }
    wait_until('the proxy listens', sub { port_answers($self->{port}) }, 10);
    return $self;
}

sub port { my ($self) = @_; return $self->{port}; }

# Behave as MODE from now on; returns when it holds.
sub mode {
    my ($self, $mode) = @_;
    spit($self->{file}, $mode);
    wait_until(
        "the proxy's mode is $mode",
        sub { (slurp("$self->{file}.now") // '') eq $mode }, 10);
    return $self;
}

sub stop {
    my ($self) = @_;
    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

# --- In the child --------------------------------------------------------------

sub listen_again {
    my ($self) = @_;
    $self->{listener} = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $self->{port},
        Listen    => 64,
        ReuseAddr => 1,
        Proto     => 'tcp'
    ) or die "listen: $!\n";
    return;
}

# Relay until killed.
sub relay {
    my ($self) = @_;
    my $mode = '';
    $self->{peer} = {};
    while (1) {
        my $wanted = slurp($self->{file}) // 'pass';
        if ($wanted ne $mode) {
            $mode = $wanted;
            $self->enter($mode);
            spit("$self->{file}.now", $mode);
        }
        if ($mode eq 'pass') {
            $self->serve;
        }
        else {
            select undef, undef, undef, 0.05;
        }
    }
    return;
}

# Open or close the port as MODE asks.
sub enter {
    my ($self, $mode) = @_;
    if ($mode eq 'refuse') {
        undef $self->{listener};
        $self->reset_pair($_) for map { $_->[0] } values %{ $self->{peer} };
        $self->{peer} = {};
    }
    else {
        $self->listen_again unless $self->{listener};
    }
    return;
}

# Move what there is to move, for 50 ms at most.
sub serve {
    my ($self) = @_;
    my $select = IO::Select->new($self->{listener},
        map { $_->[0] } values %{ $self->{peer} });
    for my $socket ($select->can_read(0.05)) {
        if ($socket == $self->{listener}) {
            $self->take_client;
        }
        elsif ($self->{peer}{$socket}) {
            $self->move($socket);
        }
    }
    return;
}

sub take_client {
    my ($self) = @_;
    my $client = $self->{listener}->accept or return;
    my $server = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $self->{to},
        Proto    => 'tcp'
    );
    if (!$server) {
        $self->reset_pair($client);
        return;
    }
    $self->{peer}{$client} = [ $client, $server ];
    $self->{peer}{$server} = [ $server, $client ];
    return;
}

# Hand on what SOCKET has; a closed one closes its peer.
sub move {
    my ($self, $socket) = @_;
    my $peer = $self->{peer}{$socket}[1];
    my $got  = sysread $socket, my $bytes, 65536;
    if (!$got) {
        delete @{ $self->{peer} }{ $socket, $peer };
        close $_ for $socket, $peer;
        return;
    }
    while (length $bytes) {
        my $sent = syswrite $peer, $bytes;
        last if !$sent;
        substr($bytes, 0, $sent, '');
    }
    return;
}

# Close SOCKET with a reset.
sub reset_pair {
    my ($self, $socket) = @_;
    setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
    close $socket;
    return;
}

1;
