# DataLake::Process - one server process: started, waited for, stopped by pid.
#
# A process that a test starts dies with the test (parent death signal, and an
# END block in DataLake::Stack); one that `make run` starts lives in a session
# of its own.  Its pid lies in FILE.pid; FILE.start holds the kernel's start
# time of that pid, so that a reused pid is never taken for ours.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Process;
use strict;
use warnings;
use Exporter 'import';
use Fcntl qw(LOCK_EX O_CREAT O_RDWR);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(SOCK_DGRAM);
use Time::HiRes qw(sleep time);

our @EXPORT_OK =
  qw(free_port locked port_answers run_command slurp spit tail wait_until);

use constant { PR_SET_PDEATHSIG => 1, DEADLINE => 60 };

# Call CODE every 20 ms until it gives a true value, and return that value; die
# with WHAT after SECONDS (60 when not given).  Time in which the machine stood
# still does not count: what is waited for stood still as well.
my $lost = 0;

sub wait_until {
    my ($what, $code, $seconds) = @_;
    my $end = time + ($seconds // DEADLINE);
    while (1) {
        my $value = $code->();
        return $value if $value;
        my $now = time;
        die "$what: not within " . ($seconds // DEADLINE) . " s\n"
          if $now > $end;
        sleep 0.02;
        my $late = time - $now - 0.02;
        next if $late < 0.1;
        $end  += $late;
        $lost += $late;
    }
}

# A port of 127.0.0.1 nobody listens on, below the range from which the kernel
# serves outgoing connections, so that none of these can take it meanwhile.
# Nor can another test: a name of the kernel's stands for the port until this
# process ends.  Not from rand(): tests that seed it alike run side by side.
my %given;

sub free_port {
    open my $random, '<:raw', '/dev/urandom' or die "/dev/urandom: $!\n";
    for (1 .. 1000) {
        read $random, my $bytes, 4;
        my $port = 15000 + unpack('L', $bytes) % 17000;
        my $mine = IO::Socket::UNIX->new(
            Type  => SOCK_DGRAM,
            Local => "\0datalake-port-$port"
        ) or next;
        my $socket = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1',
            LocalPort => $port,
            Proto     => 'tcp',
            Listen    => 1,
        ) or next;
        close $socket;
        $given{$port} = $mine;
        return $port;
    }
    die "no free port on 127.0.0.1\n";
}

# Whether something accepts connections on PORT of 127.0.0.1.
sub port_answers {
    my ($port) = @_;
    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $port,
        Proto    => 'tcp',
        Timeout  => 1,
    );
    return $socket ? 1 : 0;
}

# The text of FILE, or undef when it cannot be read.
sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or return undef;
    local $/;
    my $text = <$in>;
    return $text;
}

# Write TEXT to FILE with MODE (0644 when not given), all or nothing.
sub spit {
    my ($file, $text, $mode) = @_;
    make_path(dirname($file));
    unlink "$file.new";
    sysopen my $out, "$file.new", O_CREAT | O_RDWR, $mode // 0644
      or die "$file.new: $!\n";
    chmod $mode // 0644, "$file.new";
    print $out $text or die "$file.new: $!\n";
    close $out       or die "$file.new: $!\n";
    rename "$file.new", $file or die "$file: $!\n";
}

# The last LINES lines of FILE, for a message about what went wrong.
sub tail {
    my ($file, $lines) = @_;
    my @all = split /^/m, slurp($file) // '';
    splice @all, 0, @all - $lines if @all > $lines;
    return join '', @all;
}

# Run CODE while holding the lock FILE: one preparation at a time per clone.
sub locked {
    my ($file, $code) = @_;
    make_path(dirname($file));
    open my $lock, '>>', $file or die "$file: $!\n";
    flock $lock, LOCK_EX or die "$file: $!\n";
    return $code->();
}

# Run COMMAND to its end, its output in LOG; die with the log's tail on failure.
sub run_command {
    my ($log, @command) = @_;
    my $process = DataLake::Process->new(log => $log, command => \@command);
    my $status  = $process->start->wait;
    die "$command[0] failed (status $status):\n" . tail($log, 20) if $status;
}

# PROCESS: log => FILE, command => [...]; optional pid_file => FILE,
# keep => 1 (outlive us), environment => {NAME => VALUE}, name for messages,
# stop_signal (TERM), stop_seconds (30), directory, childless_signal (sent by
# stop once all children of the process have ended), wrapped => 1 (the command
# runs the program: signals are for both, since strace keeps its own).
sub new {
    my ($class, %option) = @_;
    return bless {
        stop_signal  => 'TERM',
        stop_seconds => 30,
        name         => $option{command} ? $option{command}[0] : 'process',
        %option
    }, $class;
}

# Start the command.  Returns the process itself.
sub start {
    my ($self) = @_;
    make_path(map { dirname($_) } grep { $_ } @$self{qw(log pid_file)});
    my $parent = $$;
    my $pid    = fork // die "fork: $!\n";
    if ($pid == 0) {
        $self->become($parent);
    }
    $self->{pid}   = $pid;
    $self->{child} = 1;
    delete $self->{status};    # of a former one
    if ($self->{pid_file}) {
        spit($self->{pid_file}, "$pid\n");
        spit("$self->{pid_file}.start", start_time($pid) // '');
    }
    return $self;
}

# In the child: cut every tie to the parent's terminal and become the command.
sub become {
    my ($self, $parent) = @_;
    POSIX::setsid();
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE QUIT);
    umask 0022;
    die_with_parent($parent) unless $self->{keep};
    open STDIN,  '<',  '/dev/null'  or POSIX::_exit(126);
    open STDOUT, '>>', $self->{log} or POSIX::_exit(126);
    open STDERR, '>&', \*STDOUT     or POSIX::_exit(126);
    delete @ENV{qw(HARNESS_ACTIVE MAKEFLAGS MAKELEVEL MFLAGS)};
    my $set = $self->{environment} // {};
    defined $set->{$_} ? $ENV{$_} = $set->{$_} : delete $ENV{$_}
      for keys %$set;
    chdir $self->{directory} if $self->{directory};
    { no warnings 'exec'; exec { $self->{command}[0] } @{ $self->{command} }; }
    print STDERR "$self->{command}[0]: $!\n";
    POSIX::_exit(127);
}

# Ask the kernel to send SIGTERM when the parent dies, however it dies.
sub die_with_parent {
    my ($parent) = @_;
    my %prctl  = (x86_64 => 157, aarch64 => 167);
    my $number = $prctl{ (POSIX::uname())[4] } // return;
    syscall $number, PR_SET_PDEATHSIG, POSIX::SIGTERM();
    POSIX::_exit(0) if getppid != $parent;
}

# The kernel's start time of PID, or undef when there is no such process or it
# is a zombie.
sub start_time {
    my ($pid)  = @_;
    my $stat   = slurp("/proc/$pid/stat") // return undef;
    my @fields = split ' ', substr $stat, rindex($stat, ')') + 2;
    return $fields[0] =~ /^[ZX]/ ? undef : $fields[19];
}

# The pid while the process runs, else undef.  Without a child of our own the
# pid file is asked.
sub pid {
    my ($self) = @_;
    if ($self->{child}) {
        return $self->{pid} unless defined $self->{status};
        return undef;
    }
    my $file = $self->{pid_file} // return undef;
    my ($pid) = (slurp($file) // '') =~ /^(\d+)/ or return undef;
    my $started = start_time($pid) // return undef;
    return $started eq (slurp("$file.start") // '') ? $pid : undef;
}

# Whether the process runs; collects its exit status when it has ended.
sub running {
    my ($self) = @_;
    if ($self->{child} && !defined $self->{status}) {
        if (waitpid($self->{pid}, POSIX::WNOHANG()) != 0) {
            $self->{status} = $?;
        }
    }
    return defined $self->pid;
}

# Wait for the end and return the wait status (0 = good).
sub wait {
    my ($self, $seconds) = @_;
    wait_until("$self->{name} ends", sub { !$self->running },
        $seconds // 900);
    return $self->{status} // 0;
}

# Send SIGNAL ('KILL', 'HUP', ...); false when the process has gone.
sub signal {
    my ($self, $signal) = @_;
    my $pid = $self->running ? $self->pid : undef;
    return 0 if !$pid;
    return $self->{wrapped} && kill($signal, -$pid) || kill $signal, $pid;
}

# Whether the process has a handler for the signal NUMBER.
sub catches {
    my ($self, $number) = @_;
    my $pid = $self->pid // return 0;
    my ($mask) = (slurp("/proc/$pid/status") // '') =~ /^SigCgt:\s*(\S+)/m
      or return 0;
    return hex(substr $mask, -8) >> ($number - 1) & 1;
}

# Kill -9 and wait until the process is gone, and what it runs (strace its
# program) with it: a process of ours leads a group of its own.
sub kill_now {
    my ($self) = @_;
    my $pid = $self->running ? $self->pid : undef;
    $self->signal('KILL');
    kill 'KILL', -$pid if $pid;
    wait_until("$self->{name} is gone", sub { !$self->running });
    return $self;
}

# Whether no child of the process lives; a zombie does not.
sub childless {
    my ($self) = @_;
    my $pid = $self->pid // return 1;
    my @children = split ' ', slurp("/proc/$pid/task/$pid/children") // return 0;
    return !grep { defined start_time($_) } @children;
}

# Ask the process to end and do not wait; false when it does not run.
sub ask_to_stop {
    my ($self) = @_;
    return $self->signal($self->{stop_signal});
}

# Ask the process to end; after stop_seconds kill it.  Returns the seconds it
# took (while the machine ran), or undef when it did not run.
sub stop {
    my ($self) = @_;
    return $self->ask_to_stop ? $self->await_end : undef;
}

# Wait for the end of a process that was asked to stop, as stop does.
sub await_end {
    my ($self) = @_;
    my $begin  = time - $lost;
    my $later  = $self->{childless_signal};
    my $gone   = eval {
        wait_until(
            "$self->{name} stops",
            sub {
                return 1 if !$self->running;
                $self->signal($later), undef $later
                  if $later && $self->childless;
                return 0;
            },
            $self->{stop_seconds}
        );
    };
    if (!$gone) {
        warn "$self->{name} ignored SIG$self->{stop_signal}, killed\n";
        $self->kill_now;
    }
    if ($self->{pid_file}) {
        unlink $self->{pid_file}, "$self->{pid_file}.start";
    }
    return time - $lost - $begin;
}

# Wait until CODE is true; die with the log's tail when the process ends first.
sub ready {
    my ($self, $code, $seconds) = @_;
    wait_until(
        "$self->{name} is ready",
        sub {
            if (!$self->running) {
                die "$self->{name} ended at start:\n" . tail($self->{log}, 20);
            }
            return $code->();
        },
        $seconds
    );
    return $self;
}

1;
