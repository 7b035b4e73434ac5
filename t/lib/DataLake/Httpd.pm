# DataLake::Httpd - Debian's httpd with our module, from a scratch folder.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Httpd;
use strict;
use warnings;
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use DataLake::Http;
use DataLake::Process
  qw(free_port port_answers run_command slurp spit tail wait_until);

use constant {
    MODULES  => '/usr/lib/apache2/modules',
    SIGWINCH => 28,    # POSIX has no name for it
};

# Options: top, dir, port, keep, pid_file, mpm (event), ini (path of
# datalake.ini), directives (text), module (path; '' for none), preload
# (libraries, for sanitizers), server (text of the server's own settings).
sub new {
    my ($class, %option) = @_;
    my $self = bless { mpm => 'event', directives => '', %option }, $class;
    $self->{module} //= "$self->{top}/build/mod_datalake.so";
    $self->{module} = ''    # not there yet
      if system("nm -D '$self->{module}' 2>/dev/null | grep -q datalake_module");
    return $self;
}

# Write the configuration.  Called by start; a test may change directives and
# call it again before reload.
sub configure {
    my ($self)  = @_;
    my $dir     = $self->{dir};
    my %defined = (
        PORT    => $self->{port} //= free_port(),
        ROOT    => $dir,
        MODULES => MODULES,
        MPM     => $self->{mpm},
        CONF    => "$self->{top}/conf",
        DOCROOT => $self->document_root,
        INI     => $self->{ini} // '',
    );
    $defined{MODULE} = $self->{module} if -e ($self->{module} || '/none');
    spit("$dir/datalake.conf", $self->{directives});
    spit(
        "$dir/httpd.conf",
        join('', map { "Define $_ \"$defined{$_}\"\n" } sort keys %defined)
          . "Include \"$self->{top}/conf/httpd/stack.conf\"\n"
          . ($self->{server} // '')
    );
    return $self;
}

# An empty folder that children can look into although they run as www-data:
# ours, or, when a folder above it is closed to them, one of the system's.
sub document_root {
    my ($self) = @_;
    my $root = "$self->{dir}/htdocs";
    make_path($root);
    return $root if $> != 0 || is_open($root);
    for my $empty (qw(/var/empty /usr/share/empty /srv /mnt /var/opt)) {
        return $empty if -d $empty && is_open($empty) && !glob "$empty/*";
    }
    return tempdir('datalake-htdocs-XXXX', TMPDIR => 1);
}

# Whether everybody may look into FOLDER.
sub is_open {
    my ($folder) = @_;
    for (my $at = $folder; $at ne ''; $at =~ s{/[^/]*$}{}) {
        return 0 unless ((stat $at)[2] & 0005) == 0005;
    }
    return 1;
}

# The command line of httpd with WORDS.
sub command {
    my ($self, @words) = @_;
    return ('/usr/sbin/apache2', '-d', $self->{dir}, '-f',
        "$self->{dir}/httpd.conf", @words);
}

# Start and wait until the server serves.  Its port answers long before that,
# and so does, for some milliseconds, that of a server whose children were
# killed and still end: a request would be theirs, and a SIGWINCH sent before
# httpd catches it is lost, since it is ignored by default.
sub start {
    my ($self) = @_;
    make_path($self->{dir});
    $self->configure;
    wait_until("port $self->{port} is free",
        sub { !port_answers($self->{port}) }, 10);
    $self->{process} = DataLake::Process->new(
        name    => 'apache2',
        command => [
            split(' ', $ENV{DL_HTTPD_UNDER} // ''),    # make valgrind
            $self->command('-DFOREGROUND')
        ],
        log      => "$self->{dir}/start.log",
        pid_file => $self->{pid_file},
        keep     => $self->{keep},
        # On SIGTERM httpd frees a child's memory under its busy workers, and
        # one of them may crash; a graceful stop waits for them.  It looks each
        # second whether they have ended: then SIGTERM only wakes it.
        stop_signal      => 'WINCH',
        childless_signal => 'TERM',
        environment =>
          { LD_PRELOAD => $self->{preload}, %{ $self->{environment} // {} } },
    );
    eval {
        $self->{process}->start->ready(
            sub { $self->{process}->catches(SIGWINCH)
                  && port_answers($self->{port}) });
        1;
    } or die $@ . tail("$self->{dir}/error.log", 10);
    return $self;
}

# Output of `apache2 -t` for this configuration; the exit status in $?.
sub check {
    my ($self) = @_;
    $self->configure;
    my $command = join ' ', map { "'$_'" } 'env',
      'LD_PRELOAD=' . ($self->{preload} // ''), $self->command('-t');
    return scalar qx($command 2>&1);
}

# Graceful restart with the configuration as it is now; returns when the new
# generation serves, and no child of the one before takes connections any more.
sub reload {
    my ($self) = @_;
    my $before   = () = $self->log_text =~ /resuming normal operations/g;
    my @children = children_of($self->{process}->pid);
    $self->configure;
    $self->{process}->signal('USR1');
    wait_until(
        'httpd reloads',
        sub {
            my $now = () = $self->log_text =~ /resuming normal operations/g;
            return $now > $before;
        }
    );
    my %port = map { ($_ => 1) } listening_on($self->{port});
    wait_until(
        'the former children leave the port',
        sub { !grep { $port{$_} } map { sockets_of($_) } @children }
    );
    return $self;
}

# The children of process PID.
sub children_of {
    my ($pid) = @_;
    return split ' ', slurp("/proc/$pid/task/$pid/children") // '';
}

# The sockets that process PID holds open, by inode.
sub sockets_of {
    my ($pid) = @_;
    return map { (readlink $_ // '') =~ /^socket:\[(\d+)\]/ }
      glob "/proc/$pid/fd/*";
}

# The sockets that listen on PORT, by inode.
sub listening_on {
    my ($port) = @_;
    my $wanted = sprintf '%04X', $port;
    return map { (split)[9] } grep { /^\s*\d+: \w+:$wanted \w+:0000 0A / }
      map { split /\n/, slurp($_) // '' } qw(/proc/net/tcp /proc/net/tcp6);
}

sub log_text { my ($self) = @_; return slurp("$self->{dir}/error.log") // ''; }
sub url  { my ($self) = @_; return "http://127.0.0.1:$self->{port}"; }
sub stop { my ($self) = @_; return $self->{process}->stop; }

# A client of this server (DataLake::Http), with OPTION.
sub client {
    my ($self, %option) = @_;
    return DataLake::Http->new(port => $self->{port}, %option);
}

1;
