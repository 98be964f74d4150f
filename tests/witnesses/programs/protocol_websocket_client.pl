# The Perl library Protocol::WebSocket as a client that speaks hixie-76. Usage and lines: see ../witness.py.
use strict;
use warnings;
use IO::Socket::INET;
use Protocol::WebSocket::Frame;
use Protocol::WebSocket::Handshake::Client;
use Protocol::WebSocket::URL;

# The draft in which the IETF published what browsers called hixie-76.
my $version = 'draft-ietf-hybi-00';

binmode STDIN,  ':encoding(UTF-8)';
binmode STDOUT, ':encoding(UTF-8)';
STDOUT->autoflush(1);

my $url       = Protocol::WebSocket::URL->new->parse($ARGV[0]);
my $handshake = Protocol::WebSocket::Handshake::Client->new(url => $url, version => $version);
my $socket    = IO::Socket::INET->new(
    PeerHost => $url->host,
    PeerPort => $url->port,
) or die "no connection: $@";
my $frames = Protocol::WebSocket::Frame->new(version => $version);

sub frame {
    my $frame = Protocol::WebSocket::Frame->new(@_, version => $version);
    $socket->print($frame->to_bytes);
    $socket->flush;
}

sub receive {
    my $size = sysread $socket, my $data, 65536;
    return $size ? $data : undef;
}

sub shake_hands {
    $socket->print($handshake->to_string);
    $socket->flush;
    until ($handshake->is_done) {
        my $data = receive();
        return 0 unless defined $data && $handshake->parse($data);
        # What is behind the handshake is left in here.
        $frames->append($data);
    }
    return 1;
}

sub hear {
    while (1) {
        my $text = $frames->next;
        return $frames->is_close ? 'closed' : "text $text" if defined $text;
        my $data = receive();
        return 'closed' unless defined $data;
        $frames->append($data);
    }
}

if (!shake_hands()) {
    print "refused\n";
    exit;
}
print "open\n";
while (my $line = <STDIN>) {
    chomp $line;
    my ($verb, $rest) = split / /, $line, 2;
    if    ($verb eq 'text')  { frame(buffer => $rest) }
    elsif ($verb eq 'close') { frame(type   => 'close') }
    elsif ($verb eq 'hear')  { print hear(), "\n" }
}
