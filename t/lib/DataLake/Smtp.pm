# DataLake::Smtp - a mail server on 127.0.0.1 that keeps what it gets.
#
#   use DataLake::Smtp;
#   my $server = DataLake::Smtp->new(file => "$dir/mails", port => $port,
#       refuse => qr/nobody/);    # addresses it answers with 550
#   my @mails = DataLake::Smtp::mails("$dir/mails");
#   # { from, to => [...], auth => "user password", text, id }
#   my @talks = DataLake::Smtp::commands("$dir/mails");    # "EHLO x AUTH ..."
#   $server->stop;
#
# It speaks EHLO, AUTH PLAIN, MAIL, RCPT, DATA, RSET and QUIT, one client after
# another, in a process of its own, and dies with its parent.  While
# "$dir/mails.slow" is there, a mail takes it 0.1 s; while "$dir/mails.hold" is,
# a mail that is written down gets no answer.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Smtp;
use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Time::HiRes qw(sleep);
use DataLake::Process qw(slurp);

my $json = JSON::PP->new->canonical->latin1;

sub new {
    my ($class, %option) = @_;
    my $self   = bless {%option}, $class;
    my $socket = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $self->{port},
        Listen    => 5,
        ReuseAddr => 1
    ) or die "mail server: $!\n";
    my $parent = $$;
    $self->{pid} = fork // die "fork: $!\n";
    return $self if $self->{pid};
    DataLake::Process::die_with_parent($parent);
    local $SIG{PIPE} = 'IGNORE';    # who was killed gets no answer
    while (my $client = $socket->accept) {
        eval { $self->talk($client); 1 } or warn "mail server: $@";
        close $client;
    }
    POSIX::_exit(0);
}

sub stop {
    my ($self) = @_;
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

# What a server wrote into FILE.
sub mails {
    my ($file) = @_;
    return map { $json->decode($_) } split /\n/, slurp($file) // '';
}

# What clients said to it, a text for each that left, the last one last.
sub commands { return split /\n/, slurp(shift() . '.commands') // ''; }

# --- The server's process ------------------------------------------------------

# Append LINE to FILE at once.
sub append {
    my ($file, $line) = @_;
    open my $out, '>>:raw', $file or die "$file: $!\n";
    syswrite $out, "$line\n";
    close $out or die "$file: $!\n";
    return;
}

# Talk with one client until it leaves.
sub talk {
    my ($self, $client) = @_;
    my @said;
    $self->answer($client, \@said);
    append("$self->{file}.commands", "@said");
    return;
}

sub answer {
    my ($self, $client, $said) = @_;
    my %mail = (to => []);
    my $say  = sub { print {$client} map { "$_\r\n" } @_; $client->flush; };
    $say->('220 mail server');
    while (defined(my $line = <$client>)) {
        $line =~ s/\r\n\z// or die "a line without CRLF: $line\n";
        push @$said, $line;
        if    ($line =~ /^EHLO /) { $say->('250-here', '250 AUTH PLAIN'); }
        elsif ($line =~ /^AUTH PLAIN ?(.*)/) {
            my $secret = $1;
            if ($secret eq '') { $say->('334 '); $secret = <$client> // last; }
            $mail{auth} = join ' ', grep { $_ ne '' } split /\0/, decode_base64($secret);
            $say->('235 welcome');
        }
        elsif ($line =~ /^MAIL FROM:<(.*?)>/) { $mail{from} = $1; $say->('250 fine'); }
        elsif ($line =~ /^RCPT TO:<(.*?)>/) {
            my $to   = $1;
            my $none = $self->{refuse} && $to =~ $self->{refuse};
            push @{ $mail{to} }, $to unless $none;
            $say->($none ? '550 no such user here' : '250 fine');
        }
        elsif ($line eq 'DATA') {
            $say->('354 go on');
            $self->keep(\%mail, $client) or last;
            %mail = (to => [], auth => $mail{auth});
            sleep 0.1  if -e "$self->{file}.slow";
            sleep 0.02 while -e "$self->{file}.hold";
            $say->('250 kept');
        }
        elsif ($line eq 'RSET') { $say->('250 fine'); }
        elsif ($line eq 'QUIT') { $say->('221 bye'); return; }
        else                    { $say->('500 what?'); }
    }
    return;
}

# Read a mail to its end and write it down; false: it never ended.
sub keep {
    my ($self, $mail, $client) = @_;
    my $text = '';
    while (defined(my $line = <$client>)) {
        if ($line eq ".\r\n") {
            my ($id) = $text =~ /^Message-ID: (\S+)/m;
            append($self->{file}, $json->encode({ %$mail, text => $text, id => $id }));
            return 1;
        }
        $line =~ s/^\.//;
        $text .= $line;
    }
    return 0;
}

1;
