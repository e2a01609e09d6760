// What the schemas of Kubernetes leave out: the objects of the Prometheus operator.
//
// In: a file of JSON, one object a line. Out: exit status 1 if one of them is not valid, or if a broken one is taken for
// valid.
import { readFileSync } from "node:fs";
import * as models from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";

async function fault(object) {
  const Model = models[object.kind];
  if (!Model || object.apiVersion !== "monitoring.coreos.com/v1") return `no model of ${object.apiVersion} ${object.kind}`;
  try {
    await new Model(object).validate();
    return null;
  } catch (error) {
    return error.message;
  }
}

const objects = readFileSync(process.argv[2], "utf8").trim().split("\n").map((line) => JSON.parse(line));
let faults = objects.length === 0 ? 1 : 0;
for (const object of objects) {
  const said = await fault(object);
  if (said) console.log(`${object.kind} ${object.metadata.name}: ${said}`);
  if (said) faults += 1;
  const broken = structuredClone(object);
  if (broken.spec.podMetricsEndpoints) broken.spec.podMetricsEndpoints[0].port = 9090;
  else if (broken.spec.groups) broken.spec.groups[0].rules[0].expr = { wrong: true };
  else broken.spec = { wrong: true };
  if (!(await fault(broken))) {
    console.log(`${object.kind} ${object.metadata.name}: a broken one is not noticed`);
    faults += 1;
  }
}
console.log(`objects: ${objects.length}, faults: ${faults}`);
process.exit(faults ? 1 : 0);
