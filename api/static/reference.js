"use strict";
// Draws /openapi.json as a page. No other host is asked, and nothing of the document is ever parsed as HTML.

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Words between backticks are names of the API.
function prose(text) {
  return (text || "").split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

function named(schema) {
  return schema && schema.$ref ? schema.$ref.split("/").pop() : "";
}

function words(schema) {
  if (!schema) return "any";
  if (schema.$ref) return named(schema);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.anyOf || schema.oneOf) return (schema.anyOf || schema.oneOf).map(words).join(" | ");
  if (schema.type === "array") return `[${words(schema.items)}]`;
  const limits = ["minimum", "maximum", "minLength", "maxLength", "pattern"].filter((key) => schema[key] !== undefined);
  const suffix = limits.length ? ` (${limits.map((key) => `${key} ${schema[key]}`).join(", ")})` : "";
  if (schema.type === "object" && typeof schema.additionalProperties === "object") return `{name: ${words(schema.additionalProperties)}}`;
  return (schema.type || "any") + suffix;
}

function sample(schema, schemas, depth) {
  if (!schema || depth > 5) return null;
  if (schema.$ref) return sample(schemas[named(schema)], schemas, depth + 1);
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf || schema.oneOf) return sample((schema.anyOf || schema.oneOf)[0], schemas, depth + 1);
  if (schema.type === "object" || schema.properties) {
    const made = {};
    for (const key of schema.required || []) made[key] = sample((schema.properties || {})[key], schemas, depth + 1);
    return made;
  }
  return { array: [], string: "…", integer: 0, number: 0, boolean: false }[schema.type] ?? {};
}

function fields(caption, rows) {
  const body = element("tbody", {});
  for (const [name, type, note] of rows) {
    body.append(element("tr", {}, element("th", { scope: "row" }, element("code", {}, name)), element("td", {}, type), element("td", {}, ...prose(note))));
  }
  const heads = ["Name", "Type", "Notes"].map((text) => element("th", { scope: "col" }, text));
  return element("table", {}, element("caption", { class: "quiet" }, ...prose(caption)), element("thead", {}, element("tr", {}, ...heads)), body);
}

function schemaParts(schema, schemas, seen) {
  const name = named(schema);
  const parts = [];
  if (name && !seen.has(name)) {
    seen.add(name);
    const found = schemas[name] || {};
    const required = new Set(found.required || []);
    const rows = Object.entries(found.properties || {}).map(([key, type]) => [key, words(type), [required.has(key) && "required", type.description].filter(Boolean).join(". ")]);
    if (rows.length) parts.push(fields(`${name}: ${found.description || ""}`, rows));
    for (const inner of Object.values(found.properties || {})) parts.push(...schemaParts(inner, schemas, seen));
  }
  for (const inner of (schema && (schema.anyOf || schema.oneOf || (schema.items && [schema.items]))) || []) parts.push(...schemaParts(inner, schemas, seen));
  return parts;
}

function command(path, method, operation, schemas) {
  const lines = [`curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}${location.origin}${path}`];
  if (operation.security) lines.push(`-H "Authorization: Bearer $STANDFAST_API_KEY"`);
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  if (content) lines.push(`-H 'Content-Type: application/json'`, `-d '${JSON.stringify(sample(content.schema, schemas, 0))}'`);
  return lines.join(" \\\n  ");
}

function brief(text) {
  return (text || "").split(/[.;:](?:\s|$)/)[0];
}

function operationPart(path, method, operation, schemas) {
  const title = element("summary", {}, element("span", { class: "method" }, method.toUpperCase()), element("code", {}, path), " ", element("span", { class: "brief" }, ...prose(brief(operation.description))));
  const part = element("details", { id: operation.operationId || path }, title);
  part.append(element("p", {}, ...prose(operation.description || operation.summary)));
  if (operation["x-roles"]) part.append(element("p", { class: "quiet" }, `Roles: ${operation["x-roles"].join(", ")}`));
  const rows = (operation.parameters || []).map((one) => [one.name, words(one.schema), `${one.in}${one.required ? ", required" : ""}. ${one.description || ""}`]);
  if (rows.length) part.append(element("h3", {}, "Parameters"), fields("", rows));
  const body = operation.requestBody && operation.requestBody.content["application/json"];
  if (body) part.append(element("h3", {}, "Body"), ...schemaParts(body.schema, schemas, new Set()));
  for (const [status, answer] of Object.entries(operation.responses || {})) {
    const [type, content] = Object.entries(answer.content || {})[0] || ["", {}];
    part.append(element("h3", {}, status === "default" ? "Any error" : `Answer ${status}`), element("p", { class: "quiet" }, `${type} ${words(content.schema)}`));
    if (status !== "default") part.append(...schemaParts(content.schema, schemas, new Set()));
  }
  part.append(element("h3", {}, "Example"), element("pre", { tabindex: "0" }, command(path, method, operation, schemas)));
  part.dataset.text = `${method} ${path} ${operation.description || ""}`.toLowerCase();
  return part;
}

function draw(description) {
  const groups = new Map();
  const schemas = (description.components || {}).schemas || {};
  for (const [path, operations] of Object.entries(description.paths)) {
    for (const method of METHODS.filter((one) => operations[one])) {
      const tag = (operations[method].tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operationPart(path, method, operations[method], schemas));
    }
  }
  document.getElementById("about").append(...prose(description.info.description));
  for (const [tag, parts] of groups) {
    document.getElementById("groups").append(element("a", { href: `#group-${tag}` }, tag));
    const heading = element("h2", { id: `group-${tag}` }, tag);
    document.getElementById("operations").append(element("section", { "aria-labelledby": `group-${tag}` }, heading, ...parts));
  }
}

function filter(text) {
  let shown = 0;
  for (const section of document.querySelectorAll("section")) {
    let any = false;
    for (const part of section.querySelectorAll("details")) {
      part.hidden = !part.dataset.text.includes(text.toLowerCase());
      if (!part.hidden) { any = true; shown += 1; }
    }
    section.hidden = !any;
  }
  document.getElementById("status").textContent = `${shown} operations`;
}

async function main() {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`/openapi.json answered ${answer.status}`);
  draw(await answer.json());
  filter("");
  document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value));
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target) { target.open = true; target.scrollIntoView(); }
}

main().catch((error) => { document.getElementById("status").textContent = `The description could not be read: ${error.message}. Is the gateway running?`; });
