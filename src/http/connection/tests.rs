//! Limits of a connection.

use super::*;

#[test]
fn clients_are_waited_for_as_the_documents_say() {
    let seconds = Duration::from_secs;
    let limits = ClientLimits::default();
    assert_eq!(
        limits,
        ClientLimits {
            handshake: seconds(20),
            head: seconds(10),
            body: seconds(30),
            stalled_write: seconds(30),
            idle: seconds(75),
            close: seconds(5),
            send_buffer: 128 * 1024,
        }
    );
    // What the kernel holds, what the server reads ahead and writes at once, and a page of a list.
    let held = 2 * limits.send_buffer + 32 * 1024 + 2 * MAX_PIECE + 128 * 1024;
    assert!(held < 1024 * 1024);
}

#[actix_web::test]
async fn the_kernel_finds_out_about_a_network_that_is_gone_and_holds_little() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (accepted, _client) = tokio::join!(listener.accept(), client);
    let (guarded, _) = Guarded::new(accepted.unwrap().0, ClientLimits::default()).unwrap();
    let socket = &guarded.socket;
    assert_eq!(sockopt::tcp_user_timeout(socket).unwrap(), 30_000);
    assert!(sockopt::socket_keepalive(socket).unwrap());
    assert_eq!(sockopt::tcp_keepidle(socket).unwrap().as_secs(), 15);
    assert_eq!(sockopt::tcp_keepintvl(socket).unwrap().as_secs(), 5);
    let buffer = sockopt::socket_send_buffer_size(socket).unwrap();
    assert!(buffer <= 2 * 128 * 1024, "{buffer}");
}
