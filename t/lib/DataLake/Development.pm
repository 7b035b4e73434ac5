# DataLake::Development - the stack of `make run`: it stays up when we leave.
#
# A DataLake::Stack whose parts outlive the runner, keep their ports and
# passwords, and are found again by their pid files.  Everything lies under
# build/stack (the runner's own test says another folder in DL_STACK_DIR);
# the file env in it tells other programs where.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Development;
use strict;
use warnings;
use File::Path qw(remove_tree);
use MIME::Base64 qw(decode_base64url);
use Time::HiRes qw(time);
use DataLake::Http;
use DataLake::Kafka;
use DataLake::MariaDB;
use DataLake::Process qw(locked port_answers slurp spit wait_until);
use DataLake::Sample ();
use DataLake::Stack;

my @SERVERS  = qw(kafka mariadb);
my @DAEMONS  = qw(datalake-lake datalake-warehouse datalake-jobs);
my $COLLECT  = 'datalake-collect';
my @PROGRAMS = (@SERVERS, @DAEMONS, 'apache2', $COLLECT);

# The administrator of the development stack.
use constant ADMIN => 'admin';

# A month: nobody wants a new token every half hour while trying things.
use constant TOKEN_SECONDS => 30 * 86400;

# The sample: some days to browse, and enough of the last hour that the last
# minutes have something for a while.
my @SAMPLE = (
    [qw(--seed 1 --count 4000 --span 3d)],
    [qw(--seed 2 --count 1000)],
);

sub new {
    my ($class) = @_;
    my $dir     = $ENV{DL_STACK_DIR} // "$DataLake::Stack::TOP/build/stack";
    my $self    = bless { dir => $dir }, $class;
    $self->{saved} = { (slurp("$dir/ports") // '') =~ /^(\w+)=(.*)$/mg };
    my $saved = $self->{saved};
    $self->{stack} = DataLake::Stack->new(
        name  => 'stack',
        dir   => $dir,
        keep  => 1,
        later => 1,
        quota => 1,
        ini   => DataLake::Sample::sections("$dir/sample-files"),
        httpd => { port => $saved->{apache2} || undef },
    );
    return $self;
}

# Remember the ports (and foreign servers) for the next call.
sub save {
    my ($self) = @_;
    my $saved = $self->{saved};
    spit(
        "$self->{dir}/ports",
        join('', map { "$_=$saved->{$_}\n" } sort keys %$saved), 0600
    );
    return;
}

# --- Parts -------------------------------------------------------------------

# The process of PROGRAM as its pid file tells.
sub process {
    my ($self, $program) = @_;
    return DataLake::Process->new(
        name         => $program,
        pid_file     => "$self->{dir}/run/$program.pid",
        stop_seconds => 30,
    );
}

sub is_up {
    my ($self, $program) = @_;
    return $self->process($program)->running;
}

# Whether PROGRAM is ours to run: not when a foreign server does its work or
# when it is not built.
sub is_ours {
    my ($self, $program) = @_;
    return !$self->{saved}{"foreign_$program"}
      if grep { $_ eq $program } @SERVERS;
    return 1 if $program eq 'apache2';
    return -x "$DataLake::Stack::BUILD/bin/$program";
}

sub programs {
    my ($self) = @_;
    return grep { $self->is_ours($_) } @PROGRAMS;
}

# Take STACK_KAFKA and STACK_DSN over; what runs already must not change.
sub take_over_servers {
    my ($self) = @_;
    my %wanted = (
        kafka   => $ENV{STACK_KAFKA} // '',
        mariadb => $ENV{STACK_DSN}   // ''
    );
    for my $server (@SERVERS) {
        my $before = $self->{saved}{"foreign_$server"} // '';
        next if $before eq $wanted{$server};
        die "the stack runs with another $server: `make stop` first\n"
          if grep { $self->is_up($_) } @PROGRAMS;
        $self->{saved}{"foreign_$server"} = $wanted{$server};
    }
    return;
}

# Tell the stack of the servers that run, starting those of ours that do not.
sub bring_up_servers {
    my ($self) = @_;
    my ($stack, $saved) = @$self{qw(stack saved)};
    if ($saved->{foreign_kafka}) {
        $stack->{brokers} = $saved->{foreign_kafka};
    }
    else {
        $stack->{kafka_server} = DataLake::Kafka->new(
            $stack->place('kafka'),
            kafka_port      => $saved->{kafka},
            controller_port => $saved->{controller},
        );
        if (!$self->is_up('kafka')) {
            $stack->start_kafka;
            @$saved{qw(kafka controller)} =
              @{ $stack->kafka }{qw(kafka_port controller_port)};
        }
    }
    if ($saved->{foreign_mariadb}) {
        $stack->use_database($saved->{foreign_mariadb});
    }
    else {
        $stack->{mariadb_server} = DataLake::MariaDB->new(
            $stack->place('mariadb'),
            secrets  => "$self->{dir}/secrets",
            database => $stack->{database},
            port     => $saved->{mariadb},
            settings => { 'innodb-log-file-size' => '256M' },
        );
        if ($self->is_up('mariadb')) {
            $stack->mariadb->{root_password} = $stack->secret('db-root');
        }
        else {
            $stack->start_mariadb;
            $saved->{mariadb} = $stack->mariadb->{port};
        }
    }
    $self->save;
    return;
}

# --- Commands ----------------------------------------------------------------

# Make what can be made before anything starts.
sub prepare {
    my ($self) = @_;
    my $stack = $self->{stack};
    DataLake::Kafka->new($stack->place('kafka'))->prepare;
    DataLake::MariaDB->new($stack->place('mariadb'))->prepare;
    return;
}

# Bring everything up that is not, feed the sample, say what to try.
sub run {
    my ($self) = @_;
    my $begin  = time;
    my $stack  = $self->{stack};
    my @before = grep { $self->is_up($_) } $self->programs;
    $self->take_over_servers;
    $self->bring_up_servers;
    $stack->write_ini;
    $stack->write_directives;
    $self->set_up;
    for my $daemon (grep { $self->is_ours($_) } @DAEMONS) {
        $stack->start_daemon($daemon) unless $self->is_up($daemon);
    }
    if (!$self->is_up('apache2')) {
        $stack->start_httpd;
        $self->{saved}{apache2} = $stack->httpd->{port};
        $self->save;
    }
    $self->write_token;
    $self->write_env;
    $self->feed_sample;
    $self->collect_sample;
    $self->invite(time - $begin, scalar @before);
    return;
}

# Migrate, create topics and the administrator: all may be done twice.
sub set_up {
    my ($self) = @_;
    my $stack = $self->{stack};
    return unless -x "$DataLake::Stack::BUILD/bin/datalakectl";
    $stack->ctl('topics');
    $stack->ctl('migrate');
    my $users = $stack->ctl('user', 'list');
    $stack->add_user(ADMIN, 'admin') unless $users =~ /\b@{[ADMIN]}\b/;
    return;
}

# Whether httpd takes the token of the file, and will for almost a month.
sub has_token {
    my ($self) = @_;
    my ($token) = (slurp("$self->{dir}/token") // '') =~ /^(\S+)\s*\z/ or return 0;
    my (undef, $claims) = split /\./, $token;
    my ($exp) = decode_base64url($claims // '') =~ /"exp":(\d+)/ or return 0;
    return 0 if $exp < time + TOKEN_SECONDS - 86400;
    my $client = DataLake::Http->new(port => $self->{saved}{apache2}, token => $token);
    return $client->get('/api/datasets/')->{status} != 401;
}

# An administrator's access token, renewed when a day old, or when it is none.
sub write_token {
    my ($self) = @_;
    my $file = "$self->{dir}/token";
    return if $self->has_token;
    return unless -x "$DataLake::Stack::BUILD/bin/datalakectl";
    my $token =
      $self->{stack}->ctl('token', ADMIN, '--ttl', TOKEN_SECONDS);
    $token =~ s/\s+\z//;
    spit($file, "$token\n", 0600);
    return;
}

# build/stack/env: where everything is, as shell assignments.
sub write_env {
    my ($self) = @_;
    my ($stack, $dir) = @$self{qw(stack dir)};
    my $foreign = $stack->{foreign_database};
    my $server  = $stack->mariadb;
    my %env     = (
        DATALAKE_URL   => "http://127.0.0.1:$self->{saved}{apache2}",
        DATALAKE_KAFKA => $stack->brokers,
        DATALAKE_LAKE  => "$dir/lake",
        DATALAKE_DSN   => $foreign ? $stack->{reader_dsn}
        : $server->dsn("$stack->{database}_reader",
            $stack->secret('db-reader'), $stack->{database}),
        DATALAKE_ADMIN_DSN => $foreign ? $foreign->{dsn} : $server->dsn,
        DATALAKE_ADMIN_USER          => ADMIN,
        DATALAKE_ADMIN_PASSWORD_FILE => "$dir/secrets/user-" . ADMIN,
        DATALAKE_TOKEN_FILE          => "$dir/token",
        DATALAKE_CTL => "$DataLake::Stack::BUILD/bin/datalakectl -c "
          . $stack->ini_file,
        DATALAKE_COLLECT => "$DataLake::Stack::BUILD/bin/$COLLECT -c "
          . $stack->ini_file,
        DATALAKE_INI => $stack->ini_file,
    );
    my $text = "# Where the development stack is; sh may read it.\n";
    for my $name (sort keys %env) {
        (my $value = $env{$name}) =~ s/'/'\\''/g;
        $text .= "$name='$value'\n";
    }
    spit("$dir/env", $text, 0600);
    return;
}

# Feed sample data once, and wait until every sink has it.
sub feed_sample {
    my ($self) = @_;
    my $stack  = $self->{stack};
    my $marker = "$self->{dir}/sample";
    my @sinks  = grep { $self->is_up("datalake-$_") } qw(lake warehouse);
    return
      if -e $marker
      || !-x "$DataLake::Stack::BUILD/bin/datalake-simulate"
      || !@sinks;
    print "# feeding sample data\n";
    my $before = $self->numbers('kafka_messages_total');
    my ($fed, $said) = (0, '');
    for my $part (@SAMPLE) {
        my ($status, $out) = $stack->try_program('datalake-simulate', '-c',
            $stack->ini_file, @$part);
        my ($n) = $out =~ /^(\d+) records of/m;
        die "datalake-simulate: $out" if $status || !$n;
        $fed  += $n;
        $said .= $out;
    }
    spit($marker, $said);
    wait_until(
        'the sample reaches ' . join(' and ', @sinks),
        sub {
            my $seen = $self->numbers('kafka_messages_total');
            my $lag  = $self->numbers('kafka_lag_records');
            return !grep {
                ($seen->{$_} // 0) - ($before->{$_} // 0) < $fed
                  || ($lag->{$_} // 1)
            } @sinks;
        },
        60
    );
    return;
}

# Start the collector; the first time with files of its own, whose rows are
# waited for: the routes show them.
sub collect_sample {
    my ($self) = @_;
    my $stack = $self->{stack};
    my $files = "$self->{dir}/sample-files";
    my $fresh = !-e "$files/shop.db";
    return if !$self->is_ours($COLLECT) || !$self->is_up('datalake-warehouse');
    DataLake::Sample::make_files($files, time) if $fresh;
    my $before = $self->numbers('kafka_messages_total')->{warehouse} // 0;
    $stack->start_daemon($COLLECT) unless $self->is_up($COLLECT);
    return if !$fresh;
    my $expected = 0;
    $expected += $_ for values %{ DataLake::Sample::counts() };
    wait_until(
        'the collected sample reaches the warehouse',
        sub {
            my $seen = $self->numbers('kafka_messages_total')->{warehouse} // 0;
            my $lag  = $self->numbers('kafka_lag_records')->{warehouse} // 1;
            return $seen - $before >= $expected && $lag == 0;
        },
        60
    );
    return;
}

# {sink => sum} of the metric NAME that the daemons count for each sink.
sub numbers {
    my ($self, $name) = @_;
    my $port = $self->{saved}{apache2} or return {};
    my $text = eval {
        DataLake::Http->new(port => $port, seconds => 5)->get('/metrics')
          ->{body};
    } // '';
    my %sum;
    while ($text =~ /^datalake_$name\{([^}]*)\}\s+(\S+)/mg) {
        my ($labels, $value) = ($1, $2);
        $sum{$1} += $value if $labels =~ /sink="(\w+)"/;
    }
    return \%sum;
}

# The first commands of README.md, for this stack.
sub commands {
    my ($self) = @_;
    my ($block) = (slurp("$DataLake::Stack::TOP/README.md") // '') =~
      /^## What to try\n.*?^```sh\n(.*?)^```/ms
      or die "README.md tells nothing to try\n";
    return $block =~ s{build/stack/env}{$self->{dir}/env}gr;
}

# What a newcomer does next.
sub invite {
    my ($self, $seconds, $running) = @_;
    my $url = "http://127.0.0.1:$self->{saved}{apache2}";
    my $now = scalar $self->programs;
    printf "# %d programs up (%d were) after %.1f s\n", $now, $running,
      $seconds;
    my $token = slurp("$self->{dir}/token") // '';
    chomp $token;
    my $try = join "\n", map { "  $_" } split /\n/, $self->commands;
    print <<"TEXT";

  API      $url
  docs     $url/docs
  token    $token
  settings $self->{dir}/env

Try:

$try

  make status   make stop   make reset
TEXT
    return;
}

# Each part: up or down, pid, port, lag.
sub status {
    my ($self) = @_;
    my $saved  = $self->{saved};
    my $lag    = $self->is_up('apache2')
      ? $self->numbers('kafka_lag_records')
      : {};
    printf "%-20s %-8s %-8s %-22s %s\n", qw(program state pid port lag);
    for my $program (@PROGRAMS) {
        my $foreign = $saved->{"foreign_$program"};
        my $pid     = $self->process($program)->pid;
        my ($sink)  = $program =~ /^datalake-(lake|warehouse)$/;
        my $state =
            $foreign                  ? 'foreign'
          : $pid                      ? 'up'
          : $self->is_ours($program)  ? 'down'
          :                             'unbuilt';
        $foreign =~ s{.*\@|/.*}{}g if $foreign;
        printf "%-20s %-8s %-8s %-22s %s\n", $program, $state, $pid // '-',
          $foreign || ($pid && $saved->{$program}) || '-',
          $sink && $pid ? $lag->{$sink} // '?' : '-';
    }
    return;
}

# Start PROGRAM alone; the servers it needs must be up.
sub start_program {
    my ($self, $program) = @_;
    $self->known($program);
    if ($self->is_up($program)) {
        print "$program runs already\n";
        return;
    }
    my $stack = $self->{stack};
    if (grep { $_ eq $program } @SERVERS) {
        my %method = (kafka => 'start_kafka', mariadb => 'start_mariadb');
        $self->adopt;
        $stack->${ \$method{$program} };
    }
    elsif ($program eq 'apache2') {
        $self->adopt;
        $stack->start_httpd;
    }
    else {
        $stack->start_daemon($program);
    }
    printf "%s is up, pid %d\n", $program, $self->process($program)->pid;
    return;
}

# Make the server objects with the ports of last time, starting nothing.
sub adopt {
    my ($self) = @_;
    my ($stack, $saved) = @$self{qw(stack saved)};
    die "nothing was set up yet: `make run` first\n" unless $saved->{apache2};
    $stack->{kafka_server} = DataLake::Kafka->new(
        $stack->place('kafka'),
        kafka_port      => $saved->{kafka},
        controller_port => $saved->{controller}
    );
    $stack->{mariadb_server} = DataLake::MariaDB->new(
        $stack->place('mariadb'),
        secrets  => "$self->{dir}/secrets",
        database => $stack->{database},
        port     => $saved->{mariadb},
        settings => { 'innodb-log-file-size' => '256M' },
    );
    return;
}

sub stop_program {
    my ($self, $program) = @_;
    $self->known($program);
    my $seconds = $self->process($program)->stop;
    print defined $seconds
      ? sprintf("%s stopped after %.1f s\n", $program, $seconds)
      : "$program does not run\n";
    return;
}

sub known {
    my ($self, $program) = @_;
    die "unknown program $program: one of @PROGRAMS\n"
      unless grep { $_ eq $program } @PROGRAMS;
    die "$program is not ours to start or stop here\n"
      unless $self->is_ours($program);
    return;
}

# Stop what runs: first who asks, last who answers.
sub stop {
    my ($self) = @_;
    for my $program (reverse @PROGRAMS) {
        my $seconds = $self->process($program)->stop // next;
        printf "%-20s stopped after %.1f s\n", $program, $seconds;
    }
    return;
}

# Back to empty: no data, no accounts, no topics.
sub reset {
    my ($self) = @_;
    $self->stop;
    remove_tree($self->{dir});
    for my $server (grep { $self->{saved}{"foreign_$_"} } @SERVERS) {
        print "what lies in the foreign $server stays there\n";
    }
    return;
}

1;
