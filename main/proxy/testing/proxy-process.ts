import { goldenRoot, pseudoProxy } from './fixtures.ts'

/** A proxy in a process of its own, so that a test can kill it. Arguments: folder, commit delay in ms. */
const [folder, delay] = process.argv.slice(2)
if (folder === undefined || delay === undefined) throw new Error('usage: proxy-process FOLDER DELAY')
const proxy = pseudoProxy(folder, { dbCommitDelayMs: Number(delay) })
await proxy.start()
await new Promise((resolve) => setTimeout(resolve, 10))
const { workerPort, clientPort } = proxy.status.value
process.send?.({ workerPort, clientPort, version: goldenRoot().version })
