// Netty as a client that speaks hixie-76. Usage and lines: see ../witness.py.

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.EmptyHttpHeaders;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshaker;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshakerFactory;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolHandler;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketVersion;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

class NettyClient {
    private static final int MAX_BYTES = 1 << 24;
    private static final BlockingQueue<String> heard = new LinkedBlockingQueue<>();

    /** Keeps what arrives until somebody asks. */
    private static class Listener extends SimpleChannelInboundHandler<WebSocketFrame> {
        private boolean isOpen = false;

        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) {
            if (event == WebSocketClientProtocolHandler.ClientHandshakeStateEvent.HANDSHAKE_COMPLETE) {
                isOpen = true;
                heard.add("open");
            }
        }

        @Override
        protected void channelRead0(ChannelHandlerContext context, WebSocketFrame frame) {
            if (frame instanceof TextWebSocketFrame) {
                heard.add("text " + ((TextWebSocketFrame) frame).text());
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            heard.add(isOpen ? "closed" : "refused");
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            cause.printStackTrace();
            context.close();
        }
    }

    private static Channel connect(URI url, EventLoopGroup group) throws InterruptedException {
        WebSocketClientHandshaker handshaker = WebSocketClientHandshakerFactory.newHandshaker(
            url, WebSocketVersion.V00, null, false, EmptyHttpHeaders.INSTANCE, MAX_BYTES);
        return new Bootstrap()
            .group(group)
            .channel(NioSocketChannel.class)
            .handler(new ChannelInitializer<SocketChannel>() {
                @Override
                protected void initChannel(SocketChannel channel) {
                    channel.pipeline().addLast(
                        new HttpClientCodec(),
                        new HttpObjectAggregator(MAX_BYTES),
                        new WebSocketClientProtocolHandler(handshaker),
                        new Listener());
                }
            })
            .connect(url.getHost(), url.getPort())
            .sync()
            .channel();
    }

    public static void main(String[] arguments) throws Exception {
        EventLoopGroup group = new NioEventLoopGroup(1);
        Channel channel = connect(new URI(arguments[0]), group);
        PrintStream output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        output.println(heard.take());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ", 2);
            switch (words[0]) {
                case "text" -> channel.writeAndFlush(new TextWebSocketFrame(words[1]));
                case "close" -> channel.writeAndFlush(new CloseWebSocketFrame());
                case "hear" -> output.println(heard.take());
            }
        }
        group.shutdownGracefully(0, 0, java.util.concurrent.TimeUnit.SECONDS);
    }
}
