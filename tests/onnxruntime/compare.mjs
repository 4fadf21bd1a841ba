// node compare.mjs MODEL DIR: feeds DIR/pixels.bin, raw RGB 0…255, to MODEL in ONNX Runtime, and compares with the
// probabilities in DIR/expected.json.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [model, dir] = process.argv.slice(2);
const ort = createRequire(join(process.cwd(), 'node_modules', '_'))('onnxruntime-node');
const tolerance = 1e-4; // float32 through some fifty layers, summed in another order

const { width, height, probabilities } = JSON.parse(readFileSync(join(dir, 'expected.json')));
const bytes = readFileSync(join(dir, 'pixels.bin'));
const count = probabilities.length;
if (count === 0 || bytes.length !== count * width * height * 3) throw new Error('pixels.bin and expected.json disagree');

const session = await ort.InferenceSession.create(model);
const [inputName] = session.inputNames;
const [outputName] = session.outputNames;
const run = async (first, n) => {
  const size = width * height * 3;
  const pixels = Float32Array.from(bytes.subarray(first * size, (first + n) * size));
  const result = await session.run({ [inputName]: new ort.Tensor('float32', pixels, [n, height, width, 3]) });
  return result[outputName];
};

let worst = 0;
for (let i = 0; i < count; ++i) {
  const { data } = await run(i, 1);
  if (data.length !== probabilities[i].length) throw new Error(`picture ${i}: ${data.length} outputs`);
  probabilities[i].forEach((p, c) => { worst = Math.max(worst, Math.abs(p - data[c])); });
}
// The batch is free: several pictures at once give the same answers.
const together = await run(0, Math.min(count, 4));
const classes = probabilities[0].length;
together.data.forEach((p, k) => { worst = Math.max(worst, Math.abs(p - probabilities[Math.floor(k / classes)][k % classes])); });

console.log(`${count} pictures, ${classes} classes: largest difference ${worst.toExponential(2)} (allowed ${tolerance})`);
if (!(worst <= tolerance)) process.exit(1);
