//! Requests: what a step says about one, compiled to a program, and rendered into reused buffers.
//!
//! Read [`Origin`] and [`RenderedRequest`] for what comes out, `target` and `escape` for URLs, `headers`, `auth` and `body` for
//! the rest, `multipart`, `uploads`, `upload_files` and `upload_file` for uploads, `program` for the order of work.

mod auth;
mod body;
mod cookies;
mod escape;
mod form;
mod headers;
mod hrp_path;
mod media_type;
mod multipart;
mod object;
mod origin;
mod program;
mod redirect;
mod rendered;
mod target;
mod upload_file;
mod upload_files;
mod uploads;

pub use auth::Credentials;
pub(crate) use auth::{set_userinfo, writes_authorization, AuthProgram, AuthPrograms};
pub(crate) use body::{push_form_map, BodyProgram, FORM_TYPE, JSON_TYPE};
pub(crate) use cookies::CookieProgram;
pub(crate) use escape::push_form;
pub(crate) use headers::{
    canonical_name, is_header_name, is_header_value, is_ignored_header, HeaderName, HeaderProgram,
};
pub(crate) use multipart::{fixed_body, FieldError, FieldValue, FixedPart, MultipartProgram, Part, MAX_UPLOAD_BYTES};
pub(crate) use object::request_value;
pub use origin::Origin;
pub(crate) use origin::{OriginParts, Schemes};
pub(crate) use program::{ParamProgram, RequestProgram, TargetProgram};
pub use rendered::{BodyPiece, RenderedRequest};
pub(crate) use target::{build_target, TargetStyle};
pub use upload_file::UploadFile;
pub(crate) use upload_files::FileError;
pub(crate) use uploads::{Uploads, MAX_CASE_BYTES};
