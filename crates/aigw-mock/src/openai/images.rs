//! `POST /images/generations` and `POST /images/edits` (<https://platform.openai.com/docs/api-reference/images>).

use serde_json::{Value, json};

use super::check;
use crate::call::{Call, now};
use crate::error::{Checked, Refusal};
use crate::multipart::Part;
use crate::reply::Reply;
use crate::words;

/// A PNG of one transparent pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// Generates images from a prompt.
pub(crate) fn generate(call: &Call<'_>) -> Checked<Reply> {
    let body = call.object()?;
    let model = if body["model"].is_null() {
        "dall-e-2"
    } else {
        check::model(call, body)?
    };
    let prompt = check::required_str(body, "prompt", "prompt")?;
    let count = check::integer(body, "n", 1, 10)?.unwrap_or(1);
    let url = check::one_of(body, "response_format", &["url", "b64_json"])?;
    if url.is_some() && model.starts_with("gpt-image") {
        return Err(Refusal::bad("Unknown parameter: 'response_format'.")
            .param("response_format")
            .code("unknown_parameter"));
    }
    Ok(render(
        call,
        model,
        prompt,
        count,
        url == Some("url") || (url.is_none() && model.starts_with("dall-e")),
    ))
}

/// Edits images sent as a form.
pub(crate) fn edit(call: &Call<'_>) -> Checked<Reply> {
    let form = call.payload.form()?;
    let field = |name: &str| form.iter().find(|part| part.name == name).map(Part::text);
    let model = field("model").unwrap_or_else(|| "dall-e-2".to_owned());
    check::exists(call, call.model)?;
    let images: Vec<_> = form
        .iter()
        .filter(|part| part.name == "image" || part.name == "image[]")
        .collect();
    if images.is_empty() {
        return Err(check::missing("image"));
    }
    if images
        .iter()
        .any(|image| image.filename.is_none() || image.data.is_empty())
    {
        return Err(Refusal::bad("Invalid file 'image': expected a file with content.").param("image"));
    }
    let prompt = field("prompt").ok_or_else(|| check::missing("prompt"))?;
    let count = field("n").map(|n| n.parse::<u64>());
    let count = count
        .transpose()
        .map_err(|_| check::wrong_type("n", "an integer", &Value::String(String::new())))?;
    let url = field("response_format").is_none_or(|format| format == "url") && model.starts_with("dall-e");
    Ok(render(call, &model, &prompt, count.unwrap_or(1), url))
}

fn render(call: &Call<'_>, model: &str, prompt: &str, count: u64, url: bool) -> Reply {
    let data: Vec<_> = (0..count)
        .map(|at| match url {
            true => json!({"url": format!("https://images.example.com/{}-{at}.png", call.id("img-")), "revised_prompt": prompt}),
            false => json!({"b64_json": PIXEL}),
        })
        .collect();
    let mut object = json!({"created": now() as u64, "data": data});
    if model.starts_with("gpt-image") && !call.fault.no_usage {
        let (input, output) = (words::count(prompt).max(1), 272 * count);
        object["background"] = "opaque".into();
        object["output_format"] = "png".into();
        object["quality"] = "low".into();
        object["size"] = "1024x1024".into();
        object["usage"] = json!({"input_tokens": input, "output_tokens": output, "total_tokens": input + output,
            "input_tokens_details": {"text_tokens": input, "image_tokens": 0}});
    }
    Reply::json(&object)
}
