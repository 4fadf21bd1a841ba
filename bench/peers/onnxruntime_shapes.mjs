// Times a model in ONNX Runtime at its best setting: node onnxruntime_shapes.mjs MODEL --size N --cores N [--many N] [--seconds S]
// MODEL takes normalised pictures [N,3,H,W] (write_network ... normalised). The last line of output is JSON, medians in
// milliseconds: one_1, a picture on one thread; one_all, a picture on any number of threads up to all cores; many, that many
// pictures, in runs of as many pictures as is best; and "settings", every setting that was tried.
// Finds onnxruntime-node in node_modules of the working directory.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string' },
    cores: { type: 'string' },
    many: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '0.3' },
  },
});
const [size, cores, many, seconds] = ['size', 'cores', 'many', 'seconds'].map((name) => Number(values[name]));
const ort = createRequire(join(process.cwd(), 'node_modules', '_'))('onnxruntime-node');

const session = (threads) =>
  ort.InferenceSession.create(positionals[0], {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  });

// Milliseconds, the median, of runs of `batch` pictures.
async function time(runner, batch) {
  const pixels = Float32Array.from({ length: batch * 3 * size * size }, (_, i) => ((i * 2654435761) % 256) / 127.5 - 1);
  const feeds = { [runner.inputNames[0]]: new ort.Tensor('float32', pixels, [batch, 3, size, size]) };
  for (let i = 0; i < 3; ++i) await runner.run(feeds);
  const times = [];
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end || times.length < 5) {
    const start = performance.now();
    await runner.run(feeds);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)];
}

const settings = {};
const single = await session(1);
settings['one/threads:1'] = await time(single, 1);
const threadCounts = new Set([cores, Math.ceil(cores / 2)].filter((threads) => threads > 1));
for (const threads of threadCounts) {
  const team = await session(threads);
  settings[`one/threads:${threads}`] = await time(team, 1);
  if (threads !== cores) continue;
  for (const batch of [many, Math.ceil(many / 2)]) {
    settings[`many/threads:${threads}/batch:${batch}`] = ((await time(team, batch)) * many) / batch;
  }
}
if (cores === 1) settings[`many/threads:1/batch:${many}`] = await time(single, many);
// What a run of one picture says about many of them, one after the other.
const best = (cell) => Math.min(...Object.entries(settings).filter(([name]) => name.startsWith(cell)).map(([, ms]) => ms));
const oneAll = best('one/');
console.log(
  JSON.stringify({ one_1: settings['one/threads:1'], one_all: oneAll, many: Math.min(best('many/'), many * oneAll), settings }),
);
