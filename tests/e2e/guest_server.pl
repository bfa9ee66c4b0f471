# A server of the guest: perl guest_server.pl PORT
#
# The first letter of a connection says what is wanted, in a process of its own but for the first:
#   e            what comes is sent back, until the end
#   c            reads to the end, then says how many bytes there were
#   s            sends 2000000 bytes and the end, then reads to the end and prints how many there were
#   d BLOCKS\n   sends so many blocks
#   u BLOCKS\n   reads so many blocks and the end, and says whether they are as they should be
#   r            reads for ever, and prints how that ends
#   GET          is HTTP/1.1, with keep-alive and WebSockets that echo
# A block is 1 MiB: its number, and then for each further word its place, stirred.
use strict;
use warnings;
use Digest::SHA qw(sha1);
use IO::Select;
use IO::Socket::INET;
use MIME::Base64;

use constant BLOCK => 1 << 20;
$| = 1;
$SIG{PIPE} = $SIG{CHLD} = "IGNORE";
my $rest = pack("N*", map { ($_ * 2654435761) & 0xffffffff } 1 .. BLOCK / 4 - 1);

sub put {
  my ($to, $bytes) = @_;
  for (my $at = 0; $at < length $bytes;) {
    $at += syswrite($to, $bytes, length($bytes) - $at, $at) // die "write: $!\n";
  }
}

# Exactly so many bytes; undef: the end came before them.
sub get {
  my ($from, $count) = @_;
  my $bytes = "";
  while (length $bytes < $count) {
    my $n = sysread($from, $bytes, $count - length $bytes, length $bytes) // die "read: $!\n";
    return undef if $n == 0;
  }
  return $bytes;
}

sub get_line {
  my ($from) = @_;
  my $line = "";
  while ($line !~ /\n$/) {
    $line .= get($from, 1) // return undef;
  }
  return $line;
}

sub count_to_the_end {
  my ($from) = @_;
  my $total = 0;
  while (my $n = sysread($from, my $piece, 65536) // die "read: $!\n") {
    $total += $n;
  }
  return $total;
}

sub take_blocks {
  my ($from, $blocks) = @_;
  for my $number (0 .. $blocks - 1) {
    my $block = get($from, BLOCK) // return "the end came in block $number";
    return "block $number is another" if $block ne pack("N", $number) . $rest;
  }
  return defined get($from, 1) ? "there is more" : "as it should be";
}

# RFC 6455, texts shorter than 126 bytes: the client's frames are masked, ours are not.
sub websocket {
  my ($with, $key) = @_;
  my $accept = encode_base64(sha1($key . "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"), "");
  put($with, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $accept\r\n\r\n");
  while (defined(my $head = get($with, 2))) {
    my ($first, $size) = unpack("CC", $head);
    $size &= 127;
    my $mask = get($with, 4);
    my $text = $size ? get($with, $size) ^ substr($mask x 32, 0, $size) : "";
    put($with, pack("CC", $first, $size) . $text);
    last if ($first & 15) == 8;
  }
}

sub http {
  my ($with) = @_;
  for (my $served = 1; defined(my $request = get_line($with)); ++$served) {
    my %head;
    while (get_line($with) =~ /^([^:]+): (.*)\r\n/) {
      $head{lc $1} = $2;
    }
    return websocket($with, $head{"sec-websocket-key"}) if $head{"sec-websocket-key"};
    my $body = "answer $served to " . (split / /, $request)[1] . "\n";
    put($with, "HTTP/1.1 200 OK\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
  }
}

sub serve {
  my ($with, $what) = @_;
  if ($what eq "c") {
    put($with, count_to_the_end($with) . "\n");
  } elsif ($what eq "s") {
    put($with, substr($rest, 0, 1000000) x 2);
    shutdown($with, 1);
    print "after the end: ", count_to_the_end($with), "\n";
  } elsif ($what eq "d") {
    my $blocks = get_line($with);
    put($with, pack("N", $_) . $rest) for 0 .. $blocks - 1;
  } elsif ($what eq "u") {
    put($with, take_blocks($with, get_line($with)) . "\n");
  } elsif ($what eq "r") {
    eval { count_to_the_end($with) };
    print "read: ", $@ || "the end\n";
  } elsif ($what eq "G") {
    http($with);
  }
}

my $listen = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 1024, ReuseAddr => 1) or die "listen: $!";
my $waiting = IO::Select->new($listen);
my %echoes;
while (my @ready = $waiting->can_read) {
  for my $it (@ready) {
    if ($it == $listen) {
      $waiting->add($listen->accept);
      next;
    }
    my $piece;
    my $n = sysread($it, $piece, $echoes{$it} ? 65536 : 1);
    if ($n && $echoes{$it}) {
      eval { put($it, $piece) };
    } elsif ($n && $piece eq "e") {
      $echoes{$it} = 1;
    } else {
      if ($n && fork() == 0) {
        serve($it, $piece);
        exit;
      }
      delete $echoes{$it};
      $waiting->remove($it);
      close $it;
    }
  }
}
