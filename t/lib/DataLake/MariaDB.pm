# DataLake::MariaDB - a private MariaDB server on a port of 127.0.0.1.
#
# The data folder is installed once per clone (build/mariadb-template) and
# copied.  The copy's root gets a random password before the port opens, unless
# what is copied is the folder of a server that has one.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::MariaDB;
use strict;
use warnings;
use DBI;
use File::Path qw(make_path remove_tree);
use DataLake::Process
  qw(free_port locked port_answers run_command slurp spit tail wait_until);

# Options: top, dir, secrets (folder for root's password), keep, pid_file,
# port, durable (1; 0 spares the syncs where a test is not about them),
# settings ({name => value} of the server), copy_of (data folder of a server
# that was stopped; its root's password lies in secrets).
sub new {
    my ($class, %option) = @_;
    return bless { durable => 1, %option }, $class;
}

# The data folder that is copied.
sub template {
    my ($self) = @_;
    return "$self->{top}/build/mariadb-template";
}

# Install the data folder that every server of this clone is copied from.
sub prepare {
    my ($self) = @_;
    my $template = $self->template;
    locked(
        "$template.lock",
        sub {
            return if -e "$template/mysql";
            remove_tree("$template.new");
            make_path("$template.new");
            run_command(
                "$template.log", 'mariadb-install-db', '--no-defaults',
                "--datadir=$template.new", account(),
                '--auth-root-authentication-method=normal',
                '--skip-test-db', '--innodb-log-file-size=8M',
            );
            rename "$template.new", $template or die "$template: $!\n";
        }
    );
    return $self;
}

# As root the server must be told to stay root: no other account can be sure
# to reach a clone below /root.
sub account {
    return $> == 0 ? ('--user=root') : ();
}

# Start the server, on a copy of the template the first time, and wait until
# root can ask it something.
sub start {
    my ($self) = @_;
    my $data = "$self->{dir}/data";
    $self->{secrets} //= "$self->{dir}/secrets";
    my $secret = "$self->{secrets}/db-root";
    my @first;
    if (!-e "$data/mysql") {
        make_path($data);
        my $from = $self->{copy_of} // $self->template;
        system('cp', '-a', '--sparse=always', "$from/.", $data) == 0
          or die "cannot copy the database template\n";
    }
    if (!-e $secret) {
        spit($secret, random_text() . "\n", 0600);
        spit("$self->{dir}/first.sql", $self->root_sql(password($secret)), 0600);
        @first = ("--init-file=$self->{dir}/first.sql");
    }
    # A server deletes foreign temporary tables in its tmpdir when it starts:
    # two servers must not share /tmp.
    make_path("$self->{dir}/tmp");
    $self->{root_password} = password($secret);
    $self->{port} //= free_port();
    $self->{process} = $self->process(@first);
    $self->{process}->start->ready(sub { port_answers($self->{port}) });
    $self->{process}->ready(sub { eval { $self->dbh->ping } });
    unlink "$self->{dir}/first.sql";
    return $self;
}

# The server's process, not yet started.
sub process {
    my ($self, @more) = @_;
    my %setting = %{ $self->{settings} // {} };
    if (!$self->{durable}) {
        $setting{'innodb-flush-log-at-trx-commit'} //= 2;
        $setting{'innodb-flush-method'}            //= 'nosync';
        $setting{'innodb-log-file-size'}           //= '8M';
    }
    return DataLake::Process->new(
        name    => 'mariadb',
        command => [
            '/usr/sbin/mariadbd',
            "--defaults-file=$self->{top}/conf/mariadb/server.cnf",
            account(),
            "--datadir=$self->{dir}/data", "--tmpdir=$self->{dir}/tmp",
            '--socket=server.sock',    # in the data folder: paths may be long
            '--pid-file=server.pid',
            "--port=$self->{port}", @more,
            map { "--$_=$setting{$_}" } sort keys %setting
        ],
        log      => "$self->{dir}/mariadb.log",
        pid_file => $self->{pid_file},
        keep     => $self->{keep},
    );
}

# The password in FILE, without its newline.
sub password {
    my ($file) = @_;
    my ($text) = (slurp($file) // die "$file: $!\n") =~ /^(.*)/;
    return $text;
}

# 32 random letters and digits.
sub random_text {
    open my $random, '<:raw', '/dev/urandom' or die "/dev/urandom: $!\n";
    read $random, my $bytes, 16;
    return unpack 'H*', $bytes;
}

# What the first start does before the port opens: a password for root from
# this machine, nobody else.
sub root_sql {
    my ($self, $password) = @_;
    return join '', map { "$_;\n" } (
        "DELETE FROM mysql.global_priv WHERE Host NOT IN ('localhost',"
          . "'127.0.0.1') AND User IN ('root', '')",
        'FLUSH PRIVILEGES',
        "ALTER USER 'root'\@'localhost' IDENTIFIED BY '$password'",
        "CREATE OR REPLACE USER 'root'\@'127.0.0.1' "
          . "IDENTIFIED BY '$password'",
        "GRANT ALL ON *.* TO 'root'\@'127.0.0.1' WITH GRANT OPTION",
    );
}

# mysql:// URL of USER (root when not given) and DATABASE (may be absent).
sub dsn {
    my ($self, $user, $password, $database) = @_;
    $user     //= 'root';
    $password //= $self->{root_password};
    return "mysql://$user:$password\@127.0.0.1:$self->{port}/"
      . ($database // '');
}

# A DBI handle: root on DATABASE unless USER and PASSWORD say otherwise.
# Errors die; decimals come as text.
sub dbh {
    my ($self, $database, $user, $password) = @_;
    return connect_dsn(
        $self->dsn($user, $password, $database // $self->{database}));
}

# {user, password, host, port, database} of a mysql:// URL.
sub parts {
    my ($dsn) = @_;
    my %part;
    @part{qw(user password host port database)} =
      $dsn =~ m{^mysql://([^:\@]*)(?::([^\@]*))?\@([^:/]+)(?::(\d+))?/?(\w*)$}
      or die "not of the form mysql://USER:PASSWORD\@HOST:PORT/DATABASE\n";
    $part{port}     ||= 3306;
    $part{password} //= '';
    s/%([0-9A-Fa-f]{2})/chr hex $1/ge for @part{qw(user password)};
    return \%part;
}

# A DBI handle for a mysql:// URL.
sub connect_dsn {
    my ($dsn) = @_;
    my $at = parts($dsn);
    return DBI->connect(
        "DBI:mysql:host=$at->{host};port=$at->{port};database=$at->{database}",
        $at->{user},
        $at->{password},
        { RaiseError => 1, PrintError => 0, mysql_enable_utf8mb4 => 1 }
    );
}

# Rows of SQL with VALUES bound, each an array of columns, as root.
sub rows {
    my ($self, $sql, @values) = @_;
    my $dbh = $self->{handle};
    if (!$dbh || !$dbh->ping) {
        $dbh = $self->{handle} = $self->dbh;
    }
    return @{ $dbh->selectall_arrayref($sql, undef, @values) };
}

# The one value SQL yields, as root; undef when there is no row.
sub value {
    my ($self, $sql, @values) = @_;
    my ($row) = $self->rows($sql, @values);
    return $row ? $row->[0] : undef;
}

# Run SQL as root with VALUES bound; returns the number of rows touched.
sub run {
    my ($self, $sql, @values) = @_;
    $self->rows('SELECT 1');
    return $self->{handle}->do($sql, undef, @values);
}

# Feed FILE to the mariadb client as root; dies with its message.
sub source {
    my ($self, $file, $database) = @_;
    local $ENV{MYSQL_PWD} = $self->{root_password};
    my $log = "$self->{dir}/source.log";
    system("mariadb --no-defaults -h127.0.0.1 -P$self->{port} -uroot "
          . ($database // $self->{database} // '')
          . " < '$file' > '$log' 2>&1") == 0
      or die "$file: " . tail($log, 5);
}

sub stop     { my ($self) = @_; return $self->{process}->stop; }
sub kill_now { my ($self) = @_; return $self->{process}->kill_now; }

1;
