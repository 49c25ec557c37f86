//! Own CA and client certificate.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use weir::model::Completeness;

use super::{NOW, poll, source, yaml};

/// Makes a CA, a server and a client certificate; false where there is no openssl.
fn certificates(dir: &Path) -> bool {
    let script = r#"set -e
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=ca" -keyout ca.key -out ca.pem
        for who in server client; do
            openssl req -newkey rsa:2048 -nodes -subj "/CN=$who" -keyout $who.key -out $who.csr
            echo "subjectAltName=IP:127.0.0.1" > ext
            openssl x509 -req -days 2 -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
                -extfile ext -out $who.pem
        done"#;
    Command::new("sh")
        .args(["-c", script])
        .current_dir(dir)
        .output()
        .is_ok_and(|o| o.status.success())
}

/// A server that wants a client certificate and answers every request with an empty listing.
async fn serve(dir: &Path) -> String {
    weir::http::install_tls();
    let chain = |name: &str| -> Vec<CertificateDer<'static>> {
        let pem = CertificateDer::pem_file_iter(dir.join(name)).unwrap();
        pem.map(Result::unwrap).collect()
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(chain("ca.pem"));
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap();
    let config = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain("server.pem"), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"jobs\":[]}";
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn own_ca_and_client_certificate_are_used() {
    let dir = tempfile::tempdir().unwrap();
    if !certificates(dir.path()) {
        // Without the openssl program only the builder's own tests cover this.
        return;
    }
    let url = serve(dir.path()).await;
    let file = |name: &str| dir.path().join(name).display().to_string();
    let ca = format!("ca_file: '{}'", file("ca.pem"));
    let client = format!("cert_file: '{}', key_file: '{}'", file("client.pem"), file("client.key"));
    let mut results = Vec::new();
    for tls in [String::new(), ca.clone(), format!("{ca}, {client}")] {
        let config = format!("name: prod\nurls: ['{url}']\ntimeout: 3s\ntls: {{ {tls} }}");
        results.push(poll(&mut source(yaml(&config)), NOW).await.completeness);
    }
    let Completeness::Failed { error, .. } = &results[0] else { panic!("{results:?}") };
    assert!(error.contains("UnknownIssuer") && error.contains("tls.ca_file"), "{error}");
    let Completeness::Failed { error, .. } = &results[1] else { panic!("{results:?}") };
    assert!(error.contains("tls.cert_file"), "{error}");
    assert_eq!(results[2], Completeness::Complete);
}
