# DataLake::MySQL - a private MySQL 8 server, for what MariaDB cannot show.
#
# Maven fetches a jar with the server (conf/mysql/pom.xml) to build/mysql,
# once per clone; the data folder is initialised there and copied.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::MySQL;
use strict;
use warnings;
use parent 'DataLake::MariaDB';
use File::Path qw(make_path remove_tree);
use IO::Uncompress::Unzip qw(unzip $UnzipError);
use DataLake::Process qw(locked run_command);

sub home     { my ($self) = @_; return "$self->{top}/build/mysql"; }
sub template { my ($self) = @_; return $self->home . '/template'; }

# Fetch the server and make the data folder that is copied.
sub prepare {
    my ($self) = @_;
    locked(
        $self->home . '.lock',
        sub {
            $self->fetch      if !-x $self->home . '/server/bin/mysqld';
            $self->initialise if !-e $self->template . '/mysql.ibd';
        }
    );
    return $self;
}

sub fetch {
    my ($self) = @_;
    my $home   = $self->home;
    my @maven  = (
        qw(mvn -q -B -f), "$self->{top}/conf/mysql/pom.xml",
        "-Dmaven.repo.local=$home/maven", 'dependency:copy-dependencies',
        '-DincludeScope=runtime', "-DoutputDirectory=$home"
    );
    print "# fetching MySQL\n";
    remove_tree($home);
    make_path("$home/new");
    if (!eval { run_command("$home.log", @maven); 1 }) {
        run_command("$home.log", @maven);
    }
    my ($jar) = glob "\Q$home\E/*.jar";
    my $name = 'mysql-Linux-amd64.tar.gz';
    unzip($jar => "$home/$name", Name => $name) or die "$jar: $UnzipError\n";
    run_command("$home.log", 'tar', '-xzf', "$home/$name", '-C', "$home/new");
    remove_tree("$home/maven");
    unlink $jar, "$home/$name";
    rename "$home/new", "$home/server" or die "$home/server: $!\n";
    return;
}

sub initialise {
    my ($self) = @_;
    my $new = $self->template . '.new';
    remove_tree($new);
    run_command($self->home . '.log', $self->program, "--datadir=$new",
        '--initialize-insecure');
    rename $new, $self->template or die $self->template . ": $!\n";
    return;
}

# The program and what it is always told.
sub program {
    my ($self) = @_;
    my $server = $self->home . '/server';
    return ("$server/bin/mysqld", '--no-defaults',
        DataLake::MariaDB::account(), "--basedir=$server");
}

# The server's process, not yet started.
sub process {
    my ($self, @more) = @_;
    my %setting = (
        'bind-address'                  => '127.0.0.1',
        'port'                          => $self->{port},
        'mysqlx'                        => 'OFF',
        'socket'                        => 'server.sock',
        'pid-file'                      => 'server.pid',
        'skip-name-resolve'             => 'ON',
        'disable-log-bin'               => 'ON',
        'local-infile'                  => 'ON',
        'character-set-server'          => 'utf8mb4',
        'collation-server'              => 'utf8mb4_bin',
        'default-time-zone'             => '+00:00',
        'default-authentication-plugin' => 'mysql_native_password',
        'performance-schema'            => 'OFF',
        %{ $self->{settings} // {} }
    );
    return DataLake::Process->new(
        name    => 'mysql',
        command => [
            $self->program, "--datadir=$self->{dir}/data",
            "--tmpdir=$self->{dir}/tmp",
            map({ "--$_=$setting{$_}" } sort keys %setting), @more
        ],
        log      => "$self->{dir}/mysql.log",
        pid_file => $self->{pid_file},
        keep     => $self->{keep},
    );
}

# What the first start does before the port opens: a password for root from
# this machine.
sub root_sql {
    my ($self, $password) = @_;
    return join '', map { "$_;\n" } (
        "ALTER USER 'root'\@'localhost' IDENTIFIED BY '$password'",
        "CREATE USER 'root'\@'127.0.0.1' IDENTIFIED BY '$password'",
        "GRANT ALL ON *.* TO 'root'\@'127.0.0.1' WITH GRANT OPTION",
    );
}

1;
