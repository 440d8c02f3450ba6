// Reads a JSON array of custom resources from standard input; writes one line for each fault.
//
// The API server drops fields that a schema does not have, without a word. The validators let them pass, too. So each
// object is wrapped, and a field that its validator has not looked at counts as one that the schema does not have.
import { readFileSync } from "node:fs";

const PACKAGES = {
  "gateway.networking.k8s.io": "gateway-api",
  "keda.sh": "keda",
  "monitoring.coreos.com": "prometheus-operator",
};

function watched(value, path, seen, keys) {
  if (value === null || typeof value !== "object") return value;
  for (const key of Object.keys(value)) keys.add(`${path}/${key}`);
  const inner = Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, watched(child, `${path}/${key}`, seen, keys)]),
  );
  const target = Array.isArray(value) ? Object.values(inner) : inner;
  return new Proxy(target, {
    get(object, key, receiver) {
      if (typeof key === "string") seen.add(`${path}/${key}`);
      return Reflect.get(object, key, receiver);
    },
  });
}

for (const document of JSON.parse(readFileSync(0, "utf8"))) {
  const [group, version] = document.apiVersion.split("/");
  const name = `${document.kind} ${document.metadata.name}`;
  const models = await import(`@kubernetes-models/${PACKAGES[group]}/${group}/${version}`);
  const seen = new Set();
  const keys = new Set();
  try {
    const model = new models[document.kind]({});
    Object.assign(model, watched(document, "", seen, keys));
    model.validate();
  } catch (error) {
    console.log(`${name}: ${error.message}`);
  }
  for (const key of keys) {
    if (!seen.has(key) && !key.startsWith("/metadata/")) console.log(`${name}: ${key} is not in the schema`);
  }
}
