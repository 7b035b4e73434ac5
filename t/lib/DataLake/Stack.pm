# DataLake::Stack - broker, database, httpd and daemons of one scratch folder.
#
#   use DataLake::Stack;
#   my $stack = DataLake::Stack->new(
#       name    => 'f01',                  # scratch folder build/t/f01
#       kafka   => 1, mariadb => 1, httpd => 1,
#       daemons => ['datalake-lake', 'datalake-warehouse'],
#       ini     => { lake => { seal_age => '5s' } },      # over the defaults
#       users   => { alice => 'user' },    # beside the administrator `admin`
#       grants  => { alice => ['transaction_log'] },    # what they may read
#       quota   => 1,                      # the limits of the contract, which
#                                          # are out of the way otherwise
#       migrate => 1,                      # an empty database, not a copy of
#                                          # a migrated one
#   );
#   my @placed = $stack->kafka->produce('transaction_log', \@messages);
#   my $answer = $stack->client('alice')->get('/api/...');
#
# Everything runs on free ports of 127.0.0.1 and is stopped when the test
# ends, dies or is killed.  `make run` uses the same code with keep => 1.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Stack;
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Time::HiRes qw(sleep time);
use DataLake::Http;
use DataLake::Httpd;
use DataLake::Kafka;
use DataLake::MariaDB;
use DataLake::Process qw(locked run_command slurp spit tail wait_until);

our $TOP = abs_path(dirname(__FILE__) . '/../../..');

# Where the product was built: `make asan` and others use a folder of their
# own.
our $BUILD = abs_path($ENV{DL_BUILD} // "$TOP/build") // "$TOP/build";

my @ROLES = qw(migrate ingest api jobs);

# Every stack of this process, for the clean-up.
my @living;
my $owner = $$;

sub new {
    my ($class, %option) = @_;
    my $name = $option{name} // die "a stack needs a name\n";
    my $self = bless {
        top      => $TOP,
        dir      => "$TOP/build/t/$name",
        durable  => 1,
        database => 'datalake',
        %option
    }, $class;
    remove_tree($self->{dir}) unless $self->{keep};
    make_path("$self->{dir}/run", "$self->{dir}/lake");
    chmod 0755, $self->{dir}, "$self->{dir}/run", "$self->{dir}/lake";
    share_lake("$self->{dir}/lake") if $> == 0;
    $self->make_audit_dir;
    if (!$self->{keep}) {
        push @living, $self;
        $SIG{$_} //= sub { exit 1 }
          for qw(INT TERM HUP);
    }
    $self->start_all if !$self->{later};
    return $self;
}

# A stack of database and httpd over a lake that lake_make fills as WORDS say;
# alice may read its transaction_log.  Dies when it cannot be made.
sub with_lake {
    my ($class, $name, @words) = @_;
    my $lake = "$TOP/build/t/$name-lake";
    remove_tree($lake);
    make_path($lake);
    system("$BUILD/tools/lake_make $lake @words > $lake.json") == 0
      or die "lake_make $lake @words failed\n";
    share_lake($lake) if $> == 0;
    return $class->new(
        name    => $name,
        mariadb => 1,
        durable => 0,
        httpd   => 1,
        users   => { alice => 'user' },
        grants  => { alice => ['transaction_log'] },
        ini     => { lake => { path => $lake } },
    );
}

# Let httpd's children read the lake below FOLDER: what the daemon makes there
# is closed to others, but gets the folder's group.
sub share_lake {
    my ($folder) = @_;
    my $group = getgrnam('www-data') // die "no group www-data\n";
    chown -1, $group, $folder or die "chown $folder: $!\n";
    chmod 02750, $folder;
    return;
}

# The folder DIR of an audit log: httpd's children write it, the daemons read
# it.
sub make_audit_dir {
    my ($self, $dir) = @_;
    $dir //= $self->audit_dir;
    make_path($dir);
    chmod 02750, $dir;
    return if $> != 0;
    chown scalar getpwnam('www-data'), -1, $dir or die "chown $dir: $!\n";
    return;
}

sub audit_dir { my ($self) = @_; return "$self->{dir}/audit"; }

# Start what was asked for, in the order in which one needs the other; the
# broker, which is slowest, beside the database.
sub start_all {
    my ($self) = @_;
    $self->launch_kafka  if $self->{kafka};
    $self->start_mariadb if $self->{mariadb};
    $self->write_ini;
    $self->set_up if $self->{mariadb} || $self->{kafka};
    $self->kafka->await if $self->{kafka};
    $self->start_daemon($_) for @{ $self->{daemons} // [] };
    $self->start_httpd if $self->{httpd};
    return $self;
}

# --- The servers -------------------------------------------------------------

sub kafka   { my ($self) = @_; return $self->{kafka_server}; }
sub mariadb { my ($self) = @_; return $self->{mariadb_server}; }
sub httpd   { my ($self) = @_; return $self->{httpd_server}; }

# What every server of ours is told: where, and whether it outlives us.
sub place {
    my ($self, $program) = @_;
    return (
        top      => $self->{top},
        dir      => "$self->{dir}/$program",
        keep     => $self->{keep},
        pid_file => "$self->{dir}/run/$program.pid",
    );
}

sub start_kafka {
    my ($self) = @_;
    return $self->launch_kafka->await;
}

# Start the broker and do not wait for it.
sub launch_kafka {
    my ($self) = @_;
    my $more = ref $self->{kafka} ? $self->{kafka} : {};
    $self->{kafka_server} //=
      DataLake::Kafka->new($self->place('kafka'), settings => $more);
    return $self->{kafka_server}->prepare->launch;
}

sub start_mariadb {
    my ($self) = @_;
    my $more = ref $self->{mariadb} ? $self->{mariadb} : {};
    $self->{mariadb_server} //= DataLake::MariaDB->new(
        $self->place('mariadb'),
        secrets  => "$self->{dir}/secrets",
        durable  => $self->{durable},
        database => $self->{database},
        settings => $more,
        copy_of  => $self->migrated_template,
    );
    my $database = delete $self->{mariadb_server}{database};
    $self->{mariadb_server}->prepare->start;
    $self->create_accounts($database) unless $self->{migrated};
    $self->{mariadb_server}{database} = $database;
    return $self->{mariadb_server};
}

# The data folder of a database that datalakectl has migrated and given the
# account `admin`; its passwords become those of this stack.  Made once for
# each build of datalakectl, beside it.  Undef where migrating is what is looked
# at.
sub migrated_template {
    my ($self) = @_;
    my $program = "$BUILD/bin/datalakectl";
    return undef
      if $self->{keep} || $self->{bare} || !-x $program;
    return undef if $self->{migrate} || $self->{database} ne 'datalake';
    my $home = "$BUILD/mariadb-migrated";
    my $key  = join ' ', map { (stat $_)[ 1, 7, 9 ] } $program, __FILE__,
      "$self->{top}/build/mariadb-template";
    locked(
        "$home.lock",
        sub {
            return if (slurp("$home/made-by") // '') eq $key;
            remove_tree($home);
            my $maker = DataLake::Stack->new(
                name    => "mariadb-migrated-$$",
                mariadb => 1,
                durable => 0,
                migrate => 1
            );
            $maker->stop;
            make_path($home);
            rename "$maker->{dir}/$_->[0]", "$home/$_->[1]"
              or die "$home/$_->[1]: $!\n"
              for [ 'mariadb/data', 'data' ], [ 'secrets', 'secrets' ];
            remove_tree($maker->{dir});
            @living = grep { $_ != $maker } @living;
            spit("$home/made-by", $key);
        }
    );
    system('cp', '-a', "$home/secrets", $self->{dir}) == 0
      or die "cannot copy the secrets of the database template\n";
    $self->{migrated} = 1;
    return "$home/data";
}

# The schema, the account that migrates it (and makes the others), and one
# that may only read.
sub create_accounts {
    my ($self, $database) = @_;
    my $dbh   = $self->{mariadb_server}->dbh;
    my %right = (
        migrate => "ALL ON $database.* TO %s WITH GRANT OPTION",
        reader  => "SELECT ON $database.* TO %s",
    );
    $dbh->do("CREATE DATABASE IF NOT EXISTS $database");
    for my $role (sort keys %right) {
        $self->create_account($dbh, "${database}_$role", "db-$role",
            $right{$role});
    }
    $dbh->do("GRANT CREATE USER ON *.* TO '${database}_migrate'\@'%'");
    $self->secret("db-$_") for @ROLES;
    return;
}

# The account USER with the password of SECRET, made if need be, and RIGHT.
sub create_account {
    my ($self, $dbh, $user, $secret, $right) = @_;
    my $password = $self->secret($secret);
    $dbh->do("CREATE USER IF NOT EXISTS '$user'\@'%'"
          . " IDENTIFIED BY '$password'");
    $dbh->do(sprintf "GRANT $right", "'$user'\@'%'");
    return;
}

# Use the database of the mysql:// URL DSN instead of a private one.  Its
# account migrates; the roles get accounts of their own when it may make any,
# else it plays them all.
sub use_database {
    my ($self, $dsn) = @_;
    my $at = DataLake::MariaDB::parts($dsn);
    die "the URL of the database must end in /DATABASE\n"
      if $at->{database} eq '';
    my $name = $self->{database} = $at->{database};
    my $dbh  = DataLake::MariaDB::connect_dsn($dsn =~ s{/\w*$}{/}r);
    $dbh->do("CREATE DATABASE IF NOT EXISTS $name");
    my @grants = map { $_->[0] } @{ $dbh->selectall_arrayref('SHOW GRANTS') };
    my $creator =
      grep { /CREATE USER|GRANT ALL PRIVILEGES ON \*\.\*/ } @grants;
    my %user = map { ($_ => $creator ? "${name}_$_" : $at->{user}) } @ROLES;
    $user{migrate} = $at->{user};
    for my $role (grep { $user{$_} eq $at->{user} } @ROLES) {
        spit("$self->{dir}/secrets/db-$role", "$at->{password}\n", 0600);
    }
    $self->secret("db-$_") for @ROLES;
    $self->{reader_dsn} = $dsn;
    if ($creator) {
        $self->create_account($dbh, "${name}_reader", 'db-reader',
            "SELECT ON $name.* TO %s");
        my $place = "$at->{host}:$at->{port}/$name";
        $self->{reader_dsn} =
          "mysql://${name}_reader:" . $self->secret('db-reader') . "\@$place";
    }
    $self->{foreign_database} = { %$at, dsn => $dsn, user => \%user };
    return;
}

# The secret NAME of this stack: made at random when it is not there.
sub secret {
    my ($self, $name) = @_;
    my $file = "$self->{dir}/secrets/$name";
    spit($file, DataLake::MariaDB::random_text() . "\n", 0600)
      unless -s $file;
    return DataLake::MariaDB::password($file);
}

sub start_httpd {
    my ($self) = @_;
    my $more = ref $self->{httpd} ? $self->{httpd} : {};
    $self->secret($_) for qw(token.key audit.key);
    $self->{httpd_server} //= DataLake::Httpd->new(
        $self->place('apache2'),
        ini        => $self->ini_file,
        directives => $self->directives,
        module     => "$BUILD/mod_datalake.so",
        preload    => $ENV{DL_PRELOAD},
        %$more,
    );
    $self->{httpd_server}->start;
    return $self->{httpd_server};
}

# Start a second server of the same lake and warehouse, with an audit log of
# its own; the caller stops it.
sub start_other_httpd {
    my ($self) = @_;
    my $audit = "$self->{dir}/audit-other";
    $self->make_audit_dir($audit);
    return DataLake::Httpd->new(
        $self->place('apache2-other'),
        pid_file   => undef,
        ini        => $self->ini_file,
        directives => $self->directives =~ s{^DataLakeAuditDir .*}{DataLakeAuditDir "$audit"}mr,
        module     => "$BUILD/mod_datalake.so",
        preload    => $ENV{DL_PRELOAD},
    )->start;
}

# httpd's file with our directives: datalakectl reads the token key from it.
sub write_directives {
    my ($self) = @_;
    $self->secret($_) for qw(token.key audit.key);
    spit("$self->{dir}/apache2/datalake.conf", $self->directives);
    return;
}

# What datalake.conf says here: the paths of this stack, then the test's own.
sub directives {
    my ($self) = @_;
    return
        "DataLakeConfig \"@{[$self->ini_file]}\"\n"
      . "DataLakeTokenKeyFile \"$self->{dir}/secrets/token.key\"\n"
      . "DataLakeAuditDir \"@{[$self->audit_dir]}\"\n"
      . "DataLakeAuditKeyFile \"$self->{dir}/secrets/audit.key\"\n"
      . "DataLakeWebDir \"$self->{top}/build/www\"\n"
      . ($self->{quota} ? '' : wide_quota())
      . ($self->{directives} // '');
}

# Limits that no test reaches by accident.
sub wide_quota {
    my @rules;
    for my $path ('/', '/v1/') {
        push @rules, map { "DataLakeQuota $path $_ 10000000/1h\n" }
          qw(anonymous user auditor admin);
    }
    return join '', @rules;
}

# Start build/bin/PROGRAM and wait until it reports to be ready.  MORE:
# arguments => [...], environment => {...}, command => [...] to run it under
# (strace ...), wait => 0 not to wait.
sub start_daemon {
    my ($self, $program, %more) = @_;
    my $name   = "\0datalake-$$-$program-" . int rand 1e9;
    my $notify = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $name)
      or die "notify socket: $!\n";
    $notify->blocking(0);
    (my $address = $name) =~ s/^\0/@/;
    my $process = DataLake::Process->new(
        name    => $program,
        command => [
            @{ $more{command} // [] },
            "$BUILD/bin/$program",
            '-c', $self->ini_file, @{ $more{arguments} // [] }
        ],
        log          => "$self->{dir}/log/$program.log",
        pid_file     => "$self->{dir}/run/$program.pid",
        keep         => $self->{keep},
        wrapped      => defined $more{command},
        stop_seconds => 15,
        environment  => {
            NOTIFY_SOCKET => $address,
            %{ $more{environment} // {} }
        },
    );
    $self->{daemon}{$program} = $process;
    $process->start;
    return $process if defined $more{wait} && !$more{wait};
    my $said = '';
    $process->ready(
        sub {
            my $message;
            while (defined $notify->recv($message, 4096)) {
                last if $message eq '';
                $said .= "$message\n";
            }
            return $said =~ /^READY=1/m;
        },
        $more{seconds} // 30
    );
    return $process;
}

# The running DataLake::Process of PROGRAM.
sub daemon {
    my ($self, $program) = @_;
    return $self->{daemon}{$program};
}

# The log of PROGRAM as text.
sub daemon_log {
    my ($self, $program) = @_;
    return slurp("$self->{dir}/log/$program.log") // '';
}

# Wait until the warehouse has all that the broker has of TOPIC.
sub await_loaded {
    my ($self, $topic) = @_;
    my @high = map { $_->[1] } $self->kafka->watermarks($topic);
    return wait_until(
        "$topic is not loaded",
        sub {
            my %at = map { @$_ } $self->mariadb->rows(
                'SELECT `partition`, next_offset FROM sink_offset'
                  . " WHERE sink = 'warehouse' AND topic = ?", $topic);
            return !grep { $high[$_] > 0 && ($at{$_} // 0) < $high[$_] } 0 .. $#high;
        },
        90
    );
}

# --- Configuration and accounts ----------------------------------------------

sub ini_file { my ($self) = @_; return "$self->{dir}/datalake.ini"; }

# The settings of this stack as {section}{key}.
sub ini {
    my ($self) = @_;
    my %ini = (
        lake     => { path => "$self->{dir}/lake" },
        run      => {
            dir        => "$self->{dir}/run",
            httpd_conf => "$self->{dir}/apache2/datalake.conf"
        },
        datasets => { dir  => "$self->{top}/conf/datasets" },
    );
    $ini{kafka} = { brokers => $self->brokers } if $self->brokers;
    if ($self->{brokers}) {    # a broker that others may use as well
        $ini{kafka}{group} =
          'datalake-warehouse-' . substr $self->secret('group'), 0, 8;
    }
    if (my $at = $self->{foreign_database}) {
        $ini{warehouse} = $self->ini_warehouse($at, $at->{user});
    }
    elsif ($self->{mariadb_server}) {
        $ini{warehouse} = $self->ini_warehouse(
            { host => '127.0.0.1', port => $self->{mariadb_server}{port} },
            { map { ($_ => "$self->{database}_$_") } @ROLES }
        );
    }
    my $own = $self->{ini} // {};
    for my $section (keys %$own) {
        $ini{$section}{$_} = $own->{$section}{$_}
          for keys %{ $own->{$section} };
    }
    return \%ini;
}

# [warehouse] for the server AT and the account of each role in USER.
sub ini_warehouse {
    my ($self, $at, $user) = @_;
    my %key = (
        host     => $at->{host},
        port     => $at->{port},
        database => $self->{database}
    );
    for my $role (@ROLES) {
        $key{"${role}_user"}          = $user->{$role};
        $key{"${role}_password_file"} = "$self->{dir}/secrets/db-$role";
    }
    return \%key;
}

# Write datalake.ini.  A value of undef leaves the key out.
sub write_ini {
    my ($self) = @_;
    my $ini    = $self->ini;
    my $text   = '';
    for my $section (sort keys %$ini) {
        $text .= "[$section]\n";
        for my $key (sort keys %{ $ini->{$section} }) {
            my $value = $ini->{$section}{$key} // next;
            $text .= "$key = $value\n";
        }
        $text .= "\n";
    }
    spit($self->ini_file, $text);
    return $self;
}

# host:port of the broker, or undef without one.
sub brokers {
    my ($self) = @_;
    return $self->{brokers} if $self->{brokers};
    return $self->{kafka_server} ? $self->{kafka_server}->brokers : undef;
}

# Run datalakectl with WORDS; returns what it printed, dies when it fails.
sub ctl {
    my ($self, @words) = @_;
    my ($status, $out) = $self->try_ctl(@words);
    die "datalakectl @words: status $status\n$out" if $status;
    return $out;
}

# (exit status, output with error output) of datalakectl with WORDS.
sub try_ctl {
    my ($self, @words) = @_;
    return $self->try_program('datalakectl', '-c', $self->ini_file, @words);
}

# (exit status, output with error output) of build/bin/PROGRAM with WORDS; the
# status is 128 + the signal when one ended it.
sub try_program {
    my ($self, $program, @words) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!\n";
    if ($pid == 0) {
        open STDIN,  '<',  '/dev/null';
        open STDERR, '>&', \*STDOUT;
        { no warnings 'exec'; exec "$BUILD/bin/$program", @words; }
        print "$program: $!\n";
        POSIX::_exit(127);
    }
    local $/;
    my $text = <$out> // '';
    CORE::close($out);
    my $status = $? & 127 ? 128 + ($? & 127) : $? >> 8;
    return ($status, $text);
}

# Migrate, create the topics, the administrator and the users of this stack.
# A program that is not built yet is not missed.
sub set_up {
    my ($self) = @_;
    return if !-x "$BUILD/bin/datalakectl" || $self->{bare};
    $self->write_directives;
    $self->set_up_database if $self->{mariadb_server};
    $self->kafka->await    if $self->kafka;
    $self->ctl('topics')   if $self->brokers;
    return;
}

sub set_up_database {
    my ($self) = @_;
    my %user = %{ $self->{users} // {} };
    if (!$self->{migrated}) {
        $self->ctl('migrate');
        $user{admin} = 'admin';
    }
    $self->add_user($_, $user{$_}) for sort keys %user;
    my $grants = $self->{grants} // {};
    for my $name (sort keys %$grants) {
        $self->grant($name, $_) for @{ $grants->{$name} };
    }
    $self->postpone_schedules unless $self->{keep};
    return;
}

# Let no schedule be due by the clock while a test runs, at whatever hour.
sub postpone_schedules {
    my ($self) = @_;
    return $self->mariadb->run(
        'UPDATE schedule SET next_run = UTC_DATE() + INTERVAL 3 DAY');
}

# Add the account NAME with ROLE; its password is the secret user-NAME.
sub add_user {
    my ($self, $name, $role) = @_;
    $self->secret("user-$name");
    return $self->ctl('user', 'add', $name, '--role', $role,
        '--password-file', "$self->{dir}/secrets/user-$name");
}

# Let the account NAME read RESOURCE, or LEVEL it; servers that run know it
# within a second.
sub grant {
    my ($self, $name, $resource, $level) = @_;
    my $db = $self->mariadb;
    $db->run(
        'INSERT INTO access_grant (user_id, resource, access, granted_at)'
          . ' SELECT id, ?, ?, UTC_TIMESTAMP(6) FROM app_user'
          . ' WHERE username = ?'
          . ' ON DUPLICATE KEY UPDATE access = VALUES(access)',
        $resource, $level // 'read', $name
    );
    return $db->run('INSERT INTO identity_change (user_id, at)'
          . ' SELECT id, UTC_TIMESTAMP(6) FROM app_user WHERE username = ?',
        $name);
}

# An access token of the account NAME.
sub token {
    my ($self, $name) = @_;
    my ($token) = $self->ctl('token', $name) =~ /^(\S+)\s*$/m;
    return $token;
}

# An HTTP client with the token of NAME, or without one when NAME is absent.
sub client {
    my ($self, $name, %option) = @_;
    $option{token} = $self->{tokens}{$name} //= $self->token($name)
      if defined $name;
    return $self->{httpd_server}->client(%option);
}

# --- The end -----------------------------------------------------------------

# Stop everything: what is ours, then the servers it needs.
sub stop {
    my ($self) = @_;
    $self->stop_ours;
    $_->stop for $self->servers;
    return;
}

# Stop httpd and the daemons, all at once.
sub stop_ours {
    my ($self) = @_;
    my @asked = grep { $_->ask_to_stop } grep { defined }
      $self->{httpd_server} && $self->{httpd_server}{process},
      values %{ $self->{daemon} // {} };
    $_->await_end for @asked;
    return;
}

# The processes of broker and database.
sub servers {
    my ($self) = @_;
    return grep { defined } map { $_ && $_->{process} }
      @$self{qw(kafka_server mariadb_server)};
}

# The end of a test: nobody will look at the servers' data.
sub finish {
    my ($self) = @_;
    $self->stop_ours;
    $_->kill_now for $self->servers;
    return;
}

# What sanitizers and memcheck said in the logs of this stack, and children of httpd that
# crashed: nobody may miss it, so it fails the test whatever that looked at.
sub reports {
    my ($self) = @_;
    my $bad = qr/ERROR:\ \w+Sanitizer|runtime\ error:
      |^==\d+==\ (?:Invalid|Conditional|Use\ of|Syscall|Process\ term)
      |exit\ signal\ (?:Segmentation|Abort|Bus|Floating|Illegal)/x;
    my @found;
    for my $log (glob("$self->{dir}/log/*.log $self->{dir}/apache2/*.log")) {
        push @found, map { "$log: $_" }
          grep { /$bad/ } split /\n/, slurp($log) // '';
    }
    return @found;
}

END {
    if ($$ == $owner) {
        my $status = $?;
        DataLake::Http::close_all();
        for my $stack (reverse @living) {
            eval { $stack->finish; 1 } or warn $@;
            if (my @reports = $stack->reports) {
                warn "$_\n" for @reports;
                $status ||= 1;
            }
        }
        $? = $status;
    }
}

1;
