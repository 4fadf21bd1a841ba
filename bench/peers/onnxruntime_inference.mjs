// Times a model in ONNX Runtime: node onnxruntime_inference.mjs MODEL [--threads N] [--batch N] [--seconds S] [--size N]
// The last line of output is JSON: milliseconds of one run (the median) and pictures a second.
// Finds onnxruntime-node in node_modules of the working directory: npm install --ignore-scripts onnxruntime-node
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '1' },
    batch: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '2' },
    size: { type: 'string', default: '224' },
  },
});
const [threads, batch, seconds, size] = ['threads', 'batch', 'seconds', 'size'].map((name) => Number(values[name]));
const ort = createRequire(join(process.cwd(), 'node_modules', '_'))('onnxruntime-node');
const session = await ort.InferenceSession.create(positionals[0], {
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
});
const pixels = Float32Array.from({ length: batch * size * size * 3 }, (_, i) => (i * 2654435761) % 256);
const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', pixels, [batch, size, size, 3]) };

for (let i = 0; i < 3; ++i) await session.run(feeds);
const times = [];
const end = performance.now() + 1000 * seconds;
while (performance.now() < end || times.length < 5) {
  const start = performance.now();
  await session.run(feeds);
  times.push(performance.now() - start);
}
times.sort((a, b) => a - b);
const ms = times[Math.floor(times.length / 2)];
console.log(JSON.stringify({ ms, pictures_per_second: (1000 * batch) / ms, threads, batch, runs: times.length }));
