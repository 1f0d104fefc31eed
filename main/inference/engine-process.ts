/**
 * Entry of the engine process: one child holds one model for its whole life, so that unloading is the end of the child and gives all
 * memory back. It ends with its parent, whatever way the parent ends, and whatever it is doing: a thread of its own looks for the parent, since the
 * chat template of a file may block the other one for ever.
 */
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker } from 'node:worker_threads'
import { endWithParent } from './end-with-parent.ts'

if (isMainThread) {
  new Worker(fileURLToPath(import.meta.url), { workerData: { parent: Number(process.argv[2]) } }).unref()
  await import('./engine-loop.ts')
} else endWithParent()
