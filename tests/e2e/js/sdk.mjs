// The JavaScript SDKs through a running gateway: plain, streamed, tools, errors. Prints one line a check; exits 1 on a failure.
// usage: node sdk.mjs GATEWAY_URL   (from a folder that has the packages)
import assert from "node:assert/strict";

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const gateway = process.argv[2];
const options = { apiKey: "client-key", maxRetries: 0, timeout: 30_000 };
const openai = new OpenAI({ ...options, baseURL: `${gateway}/v1` });
const anthropic = new Anthropic({ ...options, baseURL: gateway });

const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const openaiTool = { type: "function", function: { name: "get_weather", description: "The weather", parameters: city } };
const anthropicTool = { name: "get_weather", description: "The weather", input_schema: city };
const user = (content) => ({ role: "user", content });
const textOf = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");

const openaiChecks = {
  async plain(model) {
    const answer = await openai.chat.completions.create({ model, messages: [user("ping")] });
    assert.equal(answer.choices[0].message.content, "pong");
    assert.ok(answer.usage.total_tokens > 0);
  },
  async stream(model) {
    const stream = await openai.chat.completions.create({ model, messages: [user("count to 5")], stream: true });
    let pieces = 0;
    let finish;
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) pieces += 1;
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    assert.ok(pieces >= 5);
    assert.equal(finish, "stop");
  },
  async tools(model) {
    const messages = [user("Please call get_weather")];
    const runner = openai.chat.completions.stream({ model, messages, tools: [openaiTool] });
    const first = (await runner.finalChatCompletion()).choices[0];
    assert.equal(first.finish_reason, "tool_calls");
    const [call] = first.message.tool_calls;
    assert.equal(call.function.name, "get_weather");
    const tool_calls = [{ id: call.id, type: "function", function: { name: call.function.name, arguments: call.function.arguments } }];
    messages.push({ role: "assistant", content: null, tool_calls });
    messages.push({ role: "tool", tool_call_id: call.id, content: "sunny" });
    const second = await openai.chat.completions.create({ model, messages, tools: [openaiTool] });
    assert.match(second.choices[0].message.content, /sunny/);
  },
  async error(model) {
    const headers = { "x-mock-fault": "status=429" };
    const request = openai.chat.completions.create({ model, messages: [user("ping")] }, { headers });
    await assert.rejects(request, (error) => error instanceof OpenAI.RateLimitError && error.status === 429);
  },
  async cancelled(model) {
    const stream = await openai.chat.completions.create({ model, messages: [user("count to 500")], stream: true });
    for await (const chunk of stream) {
      assert.ok(chunk);
      break;
    }
    stream.controller.abort();
  },
};

const anthropicChecks = {
  async plain(model) {
    const message = await anthropic.messages.create({ model, max_tokens: 64, messages: [user("ping")] });
    assert.equal(textOf(message), "pong");
    assert.ok(message.usage.output_tokens > 0);
  },
  async stream(model) {
    const pieces = [];
    const stream = anthropic.messages.stream({ model, max_tokens: 256, messages: [user("count to 5")] });
    stream.on("text", (piece) => pieces.push(piece));
    const message = await stream.finalMessage();
    assert.equal(message.stop_reason, "end_turn");
    assert.ok(pieces.length >= 5);
    assert.equal(pieces.join(""), textOf(message));
  },
  async tools(model) {
    const messages = [user("Please call get_weather")];
    const request = { model, max_tokens: 256, tools: [anthropicTool] };
    const first = await anthropic.messages.stream({ ...request, messages }).finalMessage();
    assert.equal(first.stop_reason, "tool_use");
    const call = first.content.find((block) => block.type === "tool_use");
    assert.equal(call.name, "get_weather");
    const content = first.content
      .filter((block) => block.type !== "text" || block.text)
      .map((block) => (block.type === "tool_use" ? { type: block.type, id: block.id, name: block.name, input: block.input } : { type: "text", text: block.text }));
    messages.push({ role: "assistant", content });
    messages.push(user([{ type: "tool_result", tool_use_id: call.id, content: "sunny" }]));
    assert.match(textOf(await anthropic.messages.create({ ...request, messages })), /sunny/);
  },
  async error(model) {
    const headers = { "x-mock-fault": "status=429" };
    const request = anthropic.messages.create({ model, max_tokens: 64, messages: [user("ping")] }, { headers });
    await assert.rejects(request, (error) => error instanceof Anthropic.RateLimitError && error.status === 429);
  },
};

const otherChecks = {
  async embeddings() {
    const answer = await openai.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] });
    assert.equal(answer.data.length, 2);
    assert.ok(answer.data[0].embedding.length > 1);
  },
  async unknownModelInTheList() {
    await assert.rejects(openai.models.retrieve("no-such-model"), OpenAI.NotFoundError);
  },
};

let failures = 0;
async function run(name, check) {
  try {
    await check();
    console.log(`ok ${name}`);
  } catch (error) {
    failures += 1;
    console.log(`not ok ${name}\n${error?.stack ?? error}`);
  }
}

for (const model of ["gpt-4o", "claude-haiku-4-5"]) {
  for (const [name, check] of Object.entries(openaiChecks)) await run(`openai ${name} ${model}`, () => check(model));
  for (const [name, check] of Object.entries(anthropicChecks)) await run(`anthropic ${name} ${model}`, () => check(model));
}
for (const [name, check] of Object.entries(otherChecks)) await run(`openai ${name}`, check);
process.exit(failures ? 1 : 0);
