//! The table of named providers: host, schema, auth placement, quirks, environment variables. Adding a provider that speaks a
//! known dialect is adding a row.

use aigw_config::{AuthKind, PresetFacts, Quirks, Schema, SchemaName};

/// A named provider.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Id used as `provider:` and as metric label.
    pub id: &'static str,
    /// Name as the vendor writes it.
    pub name: &'static str,
    /// Schema.
    pub schema: SchemaName,
    /// `schema.version` (the path prefix); empty when the schema needs none.
    pub version: &'static str,
    /// Base URL.
    pub url: &'static str,
    /// Where the key goes.
    pub auth: AuthKind,
    /// Environment variable of the key; `aigw run` without a file configures the provider when it is set.
    pub key_var: &'static str,
    /// Environment variable that replaces the base URL.
    pub url_var: &'static str,
    /// What the vendor's SDKs put behind that base URL before an operation's path, unless it is there already.
    pub url_suffix: &'static str,
    /// Variables whose values go along as headers: variable and header.
    pub header_vars: &'static [(&'static str, &'static str)],
    /// Models it is known for, as exact names or prefixes ending in `*`; used when several providers come from the environment.
    pub models: &'static [&'static str],
    /// Departures from the dialect.
    pub quirks: Quirks,
    /// The vendor's page on this API, the source of the row.
    pub documentation: &'static str,
}

impl Preset {
    /// The facts that `compile()` asks for.
    pub fn facts(&self) -> PresetFacts {
        let version = (!self.version.is_empty()).then(|| self.version.to_owned());
        PresetFacts {
            id: self.id,
            schema: Schema {
                name: self.schema,
                version,
                prefix: None,
            },
            url: self.url,
            auth: self.auth,
            quirks: self.quirks,
        }
    }
}

const OPENAI_COMPATIBLE: Preset = Preset {
    id: "",
    name: "",
    schema: SchemaName::OpenAI,
    version: "v1",
    url: "",
    auth: AuthKind::Bearer,
    key_var: "",
    url_var: "",
    url_suffix: "",
    header_vars: &[],
    models: &[],
    quirks: Quirks::NONE,
    documentation: "",
};

/// Servers and vendors that know `max_tokens` and `system` only.
const CLASSIC: Quirks = Quirks {
    max_completion_tokens: false,
    developer_role: false,
    ..Quirks::NONE
};

/// All presets.
pub static PRESETS: &[Preset] = &[
    Preset {
        id: "openai",
        name: "OpenAI",
        url: "https://api.openai.com",
        key_var: "OPENAI_API_KEY",
        url_var: "OPENAI_BASE_URL",
        header_vars: &[
            ("OPENAI_ORG_ID", "openai-organization"),
            ("OPENAI_PROJECT_ID", "openai-project"),
        ],
        models: &[
            "gpt-*",
            "o1*",
            "o3*",
            "o4*",
            "chatgpt-*",
            "text-embedding-*",
            "whisper-*",
            "tts-*",
            "dall-e-*",
            "omni-moderation-*",
        ],
        documentation: "https://platform.openai.com/docs/api-reference/chat",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "anthropic",
        name: "Anthropic",
        schema: SchemaName::Anthropic,
        version: "",
        url: "https://api.anthropic.com",
        auth: AuthKind::Header("x-api-key"),
        key_var: "ANTHROPIC_API_KEY",
        url_var: "ANTHROPIC_BASE_URL",
        url_suffix: "v1",
        models: &["claude-*"],
        documentation: "https://docs.anthropic.com/en/api/messages",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "gemini",
        name: "Google Gemini on AI Studio",
        version: "v1beta/openai",
        url: "https://generativelanguage.googleapis.com",
        key_var: "GEMINI_API_KEY",
        url_var: "GEMINI_BASE_URL",
        models: &["gemini-*", "gemma-*"],
        documentation: "https://ai.google.dev/gemini-api/docs/openai",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "groq",
        name: "Groq",
        version: "openai/v1",
        url: "https://api.groq.com",
        key_var: "GROQ_API_KEY",
        url_var: "GROQ_BASE_URL",
        models: &["llama-3.*", "openai/gpt-oss-*", "meta-llama/*", "qwen/*"],
        documentation: "https://console.groq.com/docs/openai",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "xai",
        name: "Grok (xAI)",
        url: "https://api.x.ai",
        key_var: "XAI_API_KEY",
        url_var: "XAI_BASE_URL",
        models: &["grok-*"],
        documentation: "https://docs.x.ai/docs/api-reference",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "together",
        name: "Together AI",
        url: "https://api.together.xyz",
        key_var: "TOGETHER_API_KEY",
        url_var: "TOGETHER_BASE_URL",
        quirks: CLASSIC,
        documentation: "https://docs.together.ai/docs/openai-api-compatibility",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "cohere",
        name: "Cohere (compatibility API)",
        version: "compatibility/v1",
        url: "https://api.cohere.ai",
        key_var: "COHERE_API_KEY",
        url_var: "COHERE_BASE_URL",
        models: &["command-*", "embed-*", "rerank-*"],
        quirks: Quirks {
            max_completion_tokens: false,
            ..Quirks::NONE
        },
        documentation: "https://docs.cohere.com/docs/compatibility-api",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "mistral",
        name: "Mistral",
        url: "https://api.mistral.ai",
        key_var: "MISTRAL_API_KEY",
        url_var: "MISTRAL_BASE_URL",
        models: &[
            "mistral-*",
            "codestral-*",
            "ministral-*",
            "magistral-*",
            "pixtral-*",
            "open-mistral-*",
        ],
        quirks: Quirks {
            stream_options: false,
            ..CLASSIC
        },
        documentation: "https://docs.mistral.ai/api/",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "deepinfra",
        name: "DeepInfra",
        version: "v1/openai",
        url: "https://api.deepinfra.com",
        key_var: "DEEPINFRA_API_KEY",
        url_var: "DEEPINFRA_BASE_URL",
        quirks: CLASSIC,
        documentation: "https://deepinfra.com/docs/openai_api",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "deepseek",
        name: "DeepSeek",
        url: "https://api.deepseek.com",
        key_var: "DEEPSEEK_API_KEY",
        url_var: "DEEPSEEK_BASE_URL",
        models: &["deepseek-*"],
        // Thinking is on unless the client turns it off: https://api-docs.deepseek.com/guides/thinking_mode
        quirks: Quirks {
            json_schema: false,
            reasoning_history: true,
            ..CLASSIC
        },
        documentation: "https://api-docs.deepseek.com/api/create-chat-completion",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "hunyuan",
        name: "Tencent Hunyuan",
        url: "https://api.hunyuan.cloud.tencent.com",
        key_var: "HUNYUAN_API_KEY",
        url_var: "HUNYUAN_BASE_URL",
        models: &["hunyuan-*"],
        quirks: CLASSIC,
        documentation: "https://cloud.tencent.com/document/product/1729/111007",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "tencent-lke",
        name: "Tencent LLM Knowledge Engine",
        url: "https://api.lkeap.cloud.tencent.com",
        key_var: "TENCENT_LKE_API_KEY",
        url_var: "TENCENT_LKE_BASE_URL",
        quirks: CLASSIC,
        documentation: "https://www.tencentcloud.com/document/product/1255/70381",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "sambanova",
        name: "SambaNova",
        url: "https://api.sambanova.ai",
        key_var: "SAMBANOVA_API_KEY",
        url_var: "SAMBANOVA_BASE_URL",
        quirks: CLASSIC,
        documentation: "https://docs.sambanova.ai/cloud/docs/capabilities/openai-compatibility",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "tetrate",
        name: "Tetrate Agent Router Service",
        url: "https://api.router.tetrate.ai",
        key_var: "TARS_API_KEY",
        url_var: "TARS_BASE_URL",
        documentation: "https://docs.tetrate.io/agent-router-service",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "openrouter",
        name: "OpenRouter",
        version: "api/v1",
        url: "https://openrouter.ai",
        key_var: "OPENROUTER_API_KEY",
        url_var: "OPENROUTER_BASE_URL",
        documentation: "https://openrouter.ai/docs/api-reference/overview",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "fireworks",
        name: "Fireworks AI",
        version: "inference/v1",
        url: "https://api.fireworks.ai",
        key_var: "FIREWORKS_API_KEY",
        url_var: "FIREWORKS_BASE_URL",
        models: &["accounts/fireworks/*"],
        quirks: CLASSIC,
        documentation: "https://docs.fireworks.ai/tools-sdks/openai-compatibility",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "cerebras",
        name: "Cerebras",
        url: "https://api.cerebras.ai",
        key_var: "CEREBRAS_API_KEY",
        url_var: "CEREBRAS_BASE_URL",
        documentation: "https://inference-docs.cerebras.ai/resources/openai",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "nvidia",
        name: "NVIDIA NIM",
        url: "https://integrate.api.nvidia.com",
        key_var: "NVIDIA_API_KEY",
        url_var: "NVIDIA_BASE_URL",
        quirks: CLASSIC,
        documentation: "https://docs.api.nvidia.com/nim/reference/llm-apis",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "vllm",
        name: "vLLM",
        url: "http://127.0.0.1:8000",
        auth: AuthKind::None,
        url_var: "VLLM_BASE_URL",
        documentation: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "ollama",
        name: "Ollama",
        url: "http://127.0.0.1:11434",
        auth: AuthKind::None,
        url_var: "OLLAMA_BASE_URL",
        quirks: CLASSIC,
        documentation: "https://docs.ollama.com/api/openai-compatibility",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "llama-cpp",
        name: "llama.cpp server",
        url: "http://127.0.0.1:8080",
        auth: AuthKind::None,
        url_var: "LLAMA_CPP_BASE_URL",
        documentation: "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        ..OPENAI_COMPATIBLE
    },
    Preset {
        id: "sglang",
        name: "SGLang",
        url: "http://127.0.0.1:30000",
        auth: AuthKind::None,
        url_var: "SGLANG_BASE_URL",
        documentation: "https://docs.sglang.ai/basic_usage/openai_api_completions.html",
        ..OPENAI_COMPATIBLE
    },
];
