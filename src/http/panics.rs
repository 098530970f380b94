//! A handler that panics answers 500 instead of dropping the connection.

use std::panic::AssertUnwindSafe;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use futures_util::FutureExt;
use log::warn;

use super::problem::Problem;

/// Middleware: the client gets 500 and no detail; the log gets the route. The panic hook has logged
/// the panic's message and place as an error.
pub(super) async fn answer_panics<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let (method, path) = (request.method().clone(), request.path().to_owned());
    // Handlers share nothing that a panic could leave half changed: state is behind messages.
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(answer) => answer,
        Err(_) => {
            warn!(method = method.as_str(), path:? = path; "a handler panicked; answered 500");
            Err(Problem::internal().into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{App, HttpResponse, middleware, test, web};

    #[actix_web::test]
    async fn a_panic_is_answered_and_the_next_request_served() {
        let app = test::init_service(
            App::new()
                .wrap(middleware::from_fn(answer_panics))
                .route("/fine", web::get().to(HttpResponse::Ok))
                .route("/bad", web::get().to(panicking)),
        )
        .await;
        let bad = test::TestRequest::get().uri("/bad").to_request();
        let error = test::try_call_service(&app, bad).await.unwrap_err();
        let response = error.error_response();
        assert_eq!(response.status(), 500);
        let body = actix_web::body::to_bytes(response.into_body())
            .await
            .unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(!body.contains("secret"), "{body}");
        let fine = test::TestRequest::get().uri("/fine").to_request();
        assert_eq!(test::call_service(&app, fine).await.status(), 200);
    }

    async fn panicking() -> HttpResponse {
        panic!("secret");
    }
}
