# DataLake::Kafka - a private Apache Kafka broker (KRaft, one node).
#
# prepare() makes, once per clone under build/kafka: the jars (Maven), a
# formatted data folder and a class data archive; both halve the start, and
# Java silently passes over an archive of another class path or another Java.
# A broker copies the formatted folder and gets a cluster id of its own.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Kafka;
use strict;
use warnings;
use Cwd qw(realpath);
use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use MIME::Base64 qw(encode_base64url);
use DataLake::Process
  qw(free_port locked port_answers run_command slurp spit wait_until);

# Small heap, one compiler, one collector thread: ready in a second, and no
# slower at producing (measured).  The archive lies where it was made for:
# moving it in memory costs a fifth of the start.
my @JAVA = (
    qw(java -Xshare:auto -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1),
    qw(-XX:+UnlockDiagnosticVMOptions -XX:ArchiveRelocationMode=0),
    qw(-XX:-UsePerfData -Dorg.slf4j.simpleLogger.defaultLogLevel=warn)
);

# Options: top (the clone), dir (scratch folder), keep, pid_file; kafka_port
# and controller_port when they must be certain ones.
sub new {
    my ($class, %option) = @_;
    my $self = bless {%option}, $class;
    $self->{home} = "$self->{top}/build/kafka";
    return $self;
}

# Make what every broker of this clone shares; quick when it is there.
sub prepare {
    my ($self) = @_;
    my $home = $self->{home};
    locked(
        "$home.lock",
        sub {
            $self->fetch_jars;
            $self->format_template;
            $self->archive_classes;
        }
    );
    return $self;
}

# Have Maven copy the jars that conf/kafka/pom.xml names.
sub fetch_jars {
    my ($self) = @_;
    my ($home, $pom) = ($self->{home}, "$self->{top}/conf/kafka/pom.xml");
    my $want = sha256_hex(slurp($pom));
    return if (slurp("$home/pom.sha256") // '') eq $want;
    remove_tree("$home/lib", "$home/template", { safe => 0 });
    unlink "$home/classes.jsa", "$home/classes.of";
    print "# fetching the broker's jars\n";
    my @maven = (
        qw(mvn -q -B -f), $pom,
        "-Dmaven.repo.local=$home/maven",
        'dependency:copy-dependencies',
        '-DincludeScope=runtime', "-DoutputDirectory=$home/lib"
    );
    if (!eval { run_command("$home/maven.log", @maven); 1 }) {
        run_command("$home/maven.log", @maven);
    }
    remove_tree("$home/maven");
    spit("$home/pom.sha256", $want);
}

# The class path: an explicit list in a fixed order, as the archive wants it.
sub class_path {
    my ($self) = @_;
    my $lib = realpath("$self->{home}/lib");
    return join ':', sort glob "\Q$lib\E/*.jar";
}

# Format one data folder; a broker gets a copy of its two files.
sub format_template {
    my ($self) = @_;
    my $home = $self->{home};
    return if -e "$home/template/meta.properties";
    remove_tree("$home/template");
    spit("$home/format.properties",
        slurp("$self->{top}/conf/kafka/server.properties")
          . "listeners=CLIENT://127.0.0.1:1,CONTROLLER://127.0.0.1:2\n"
          . "controller.quorum.voters=1\@127.0.0.1:2\n"
          . "log.dirs=$home/template.new\n");
    remove_tree("$home/template.new");
    run_command(
        "$home/format.log", @JAVA, '-cp', $self->class_path,
        'kafka.tools.StorageTool', 'format', '-t', cluster_id(), '-c',
        "$home/format.properties"
    );
    rename "$home/template.new", "$home/template"
      or die "$home/template: $!\n";
}

# What a class data archive is good for: this class path and this Java.
sub archive_key {
    my ($self) = @_;
    my ($java) = grep { -x } map { "$_/java" } split /:/, $ENV{PATH};
    my $vm     = dirname(realpath($java // '/')) . '/../lib/server/libjvm.so';
    return join "\n", $self->class_path, join(' ', (stat $vm)[ 7, 9 ]), '';
}

# Run a broker once to record the classes it loads.
sub archive_classes {
    my ($self) = @_;
    my $archive = "$self->{home}/classes.jsa";
    my $key     = $self->archive_key;
    return
      if -e $archive && (slurp("$self->{home}/classes.of") // '') eq $key;
    unlink $archive;
    my $scratch = "$self->{home}/archive-run";
    remove_tree($scratch);
    my $broker = DataLake::Kafka->new(
        top       => $self->{top},
        dir       => $scratch,
        java_more => ["-XX:ArchiveClassesAtExit=$archive.new"],
    );
    $broker->start;
    $broker->stop;
    remove_tree($scratch);
    rename "$archive.new", $archive if -e "$archive.new";
    spit("$self->{home}/classes.of", $key);
}

# A random cluster id as Kafka writes it: 16 bytes, base64url.
sub cluster_id {
    open my $random, '<:raw', '/dev/urandom' or die "/dev/urandom: $!\n";
    read $random, my $bytes, 16;
    my $id = encode_base64url($bytes);
    return $id =~ /^-/ ? cluster_id() : $id;
}

# Start the broker and wait until it answers a metadata request.
sub start {
    my ($self) = @_;
    return $self->launch->await;
}

# Start the broker on its data folder, making that when it is not there.
sub launch {
    my ($self) = @_;
    my ($dir, $data) = ($self->{dir}, "$self->{dir}/data");
    if (!-e "$data/meta.properties") {
        make_path($data);
        copy("$self->{home}/template/bootstrap.checkpoint", $data)
          or die "bootstrap.checkpoint: $!\n";
        my $meta = slurp("$self->{home}/template/meta.properties");
        my $id   = cluster_id();
        $meta =~ s/^cluster\.id=.*$/cluster.id=$id/m;
        spit("$data/meta.properties", $meta);
    }
    $self->{kafka_port}      //= free_port();
    $self->{controller_port} //= free_port();
    $self->{process} = $self->process;
    $self->{process}->start;
    $self->{awaited} = 0;
    return $self;
}

# Wait until the broker that was launched answers.
sub await {
    my ($self) = @_;
    return $self if $self->{awaited};
    $self->{process}->ready(sub { port_answers($self->{kafka_port}) });
    $self->{process}->ready(sub { $self->answers });
    $self->{awaited} = 1;
    return $self;
}

# The broker's process, not yet started.
sub process {
    my ($self) = @_;
    my $archive  = "$self->{home}/classes.jsa";
    my %override = (
        'listeners' => "CLIENT://127.0.0.1:$self->{kafka_port},"
          . "CONTROLLER://127.0.0.1:$self->{controller_port}",
        'controller.quorum.voters' => "1\@127.0.0.1:$self->{controller_port}",
        'log.dirs'                 => "$self->{dir}/data",
        %{ $self->{settings} // {} },
    );
    return DataLake::Process->new(
        name    => 'kafka',
        command => [
            @JAVA, @{ $self->{java_more} // [] },
            (-e $archive ? "-XX:SharedArchiveFile=$archive" : ()),
            '-cp',         $self->class_path,
            'kafka.Kafka', "$self->{top}/conf/kafka/server.properties",
            map { ('--override', "$_=$override{$_}") } sort keys %override
        ],
        log      => "$self->{dir}/kafka.log",
        pid_file => $self->{pid_file},
        keep     => $self->{keep},
    );
}

# Whether broker 1 answers a metadata request.
sub answers {
    my ($self) = @_;
    my $out = qx(kcat -b @{[$self->brokers]} -L -m 2 2>/dev/null);
    return $out =~ /broker 1 at/;
}

# host:port of the broker, as bootstrap.servers wants it.
sub brokers {
    my ($self) = @_;
    return "127.0.0.1:$self->{kafka_port}";
}

sub stop     { my ($self) = @_; return $self->{process}->stop; }
sub kill_now { my ($self) = @_; return $self->{process}->kill_now; }

# Create TOPIC; OPTION: partitions (1) and any topic setting of Kafka.
sub create_topic {
    my ($self, $topic, %option) = @_;
    my $partitions = delete $option{partitions} // 1;
    return $self->tool('create', $topic, $partitions,
        map { "$_=$option{$_}" } sort keys %option);
}

# Give TOPIC the setting NAME of VALUE; its others become the broker's.
sub set_topic {
    my ($self, $topic, $name, $value) = @_;
    return $self->tool('set', $topic, "$name=$value");
}

# Delete TOPIC and wait until the broker no longer names it.
sub delete_topic {
    my ($self, $topic) = @_;
    return $self->tool('delete', $topic);
}

# Delete what lies before OFFSET in PARTITION of TOPIC, as retention would.
sub trim_topic {
    my ($self, $topic, $partition, $offset) = @_;
    return $self->tool('trim', $topic, $partition, $offset);
}

# [low, high] of each partition of TOPIC, in order.
sub watermarks {
    my ($self, $topic) = @_;
    return map { [ (split)[ 1, 2 ] ] } split /\n/,
      $self->tool('watermarks', $topic);
}

# Output of build/tools/ktopic with WORDS; dies with its message.
sub tool {
    my ($self, @words) = @_;
    open my $out, '-|', "$self->{top}/build/tools/ktopic", $self->brokers,
      @words
      or die "ktopic: $!\n";
    local $/;
    my $text = <$out> // '';
    close $out or die "ktopic @words failed: $text\n";
    return $text;
}

# Produce MESSAGES to TOPIC in this order, each a hash: value (undef: none),
# key, partition (the partitioner's choice when absent), timestamp (ms),
# headers ([name, value], ...).  Returns [partition, offset] for each, after
# all were acknowledged by the broker.
sub produce {
    my ($self, $topic, $messages, %setting) = @_;
    my $file = "$self->{dir}/produce.$$." . ++$self->{produced};
    open my $out, '>:raw', $file or die "$file: $!\n";
    for my $message (@$messages) {
        print $out join("\t",
            $message->{partition} // '-',
            $message->{timestamp} // '-',
            escaped($message->{key}),
            join(',', map { escaped($_->[0]) . '=' . escaped($_->[1]) }
                  @{ $message->{headers} // [] }) || '-',
            escaped($message->{value})), "\n";
    }
    close $out or die "$file: $!\n";
    my @command = (
        "$self->{top}/build/tools/kproduce",
        '-o', map({ ('-X', "$_=$setting{$_}") } sort keys %setting),
        $self->brokers, $topic, $file
    );
    open my $in, '-|', @command or die "kproduce: $!\n";
    my @placed = map { [ split ' ' ] } <$in>;
    close $in or die "kproduce to $topic failed\n";
    unlink $file;
    return @placed;
}

# BYTES as kproduce reads them: undef is -, and every byte that would end a
# field is \xNN.
sub escaped {
    my ($bytes) = @_;
    return '-'   unless defined $bytes;
    return '\\e' if $bytes eq '';
    utf8::encode($bytes) if utf8::is_utf8($bytes);
    $bytes =~ s/([\\\t\n\r\0])/sprintf '\\x%02x', ord $1/ge;
    $bytes =~ s/^-$/\\x2d/;
    return $bytes;
}

# Every message of TOPIC now, as hashes partition, offset, timestamp, key,
# value, headers (name => value; without commas and line ends), in the order of
# partition and offset.
sub consume {
    my ($self, $topic) = @_;
    open my $in, '-|', 'kcat', '-q', '-C', '-b', $self->brokers, '-t', $topic,
      qw(-o beginning -e -f), '%p %o %T %K %S %h\n%k%s\n'
      or die "kcat: $!\n";
    binmode $in;
    my @messages;
    while (defined(my $line = <$in>)) {
        chomp $line;
        my ($partition, $offset, $time, $key_length, $length, $headers) =
          split / /, $line, 6;
        my ($key, $value);
        read $in, $key,   $key_length if $key_length > 0;
        read $in, $value, $length     if $length >= 0;
        read $in, my $newline, 1;
        push @messages,
          {
            partition => $partition,
            offset    => $offset,
            timestamp => $time,
            key       => $key,
            value     => $value // '',
            headers   => { map { /^([^=]*)=(.*)/s } split /,/, $headers // '' }
          };
    }
    close $in or die "kcat -C -t $topic failed\n";
    return
      sort { $a->{partition} <=> $b->{partition} || $a->{offset} <=> $b->{offset} }
      @messages;
}

1;
