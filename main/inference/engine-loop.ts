/** What the engine process does on its own thread: one model, and the answers of it. */
import { asError, Failure } from '../base/failure.ts'
import { type FromEngine, requestFault, type ToEngine, toEngine } from './engine-messages.ts'
import { isWantOfMemory } from './load-plan.ts'
import type { LoadedModel } from './loaded-model.ts'

const running = new Map<number, AbortController>()
let model: LoadedModel | undefined

function tell(message: FromEngine): void {
  process.send?.(message, undefined, undefined, (error) => {
    if (error !== null) end()
  })
}

/** Nothing is left to save, and native threads must not hold up the end. */
function end(): void {
  process.kill(process.pid, 'SIGKILL')
}

/** Resolves once it is on its way: what comes next may block this thread. */
function told(message: FromEngine): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) return resolve()
    process.send(message, undefined, undefined, (error) => {
      if (error !== null) end()
      resolve()
    })
  })
}

async function load(order: (ToEngine & { t: 'load' })['order']): Promise<void> {
  try {
    const { LoadedModel } = await import('./loaded-model.ts')
    model = await LoadedModel.load(
      order,
      (progress) => tell({ t: 'progress', progress: Math.min(1, Math.max(0, progress)) }),
      (line) => tell({ t: 'log', level: 'warn', message: line.trim().slice(0, 500) }),
      () => told({ t: 'reading-template' }),
    )
    const { contextTokens, backend, devices, threads, capabilities, notices } = model
    tell({ t: 'loaded', contextTokens, backend, devices: [...devices], threads, capabilities, notices: [...notices] })
  } catch (error) {
    const { name, message } = asError(error)
    const wantOfMemory = name === 'InsufficientMemoryError' || isWantOfMemory(message)
    tell({ t: 'load-failed', message: message.slice(0, 500), wantOfMemory })
  }
}

function answer({ id, input, options }: ToEngine & { t: 'generate' }): Promise<void> {
  return run(id, async (loaded, signal) => {
    const onReading = (): Promise<void> => told({ t: 'reading', id })
    const onRead = (): void => tell({ t: 'read', id })
    for await (const event of loaded.answer(input, options, signal, onReading, onRead)) tell({ t: 'event', id, event })
  })
}

function embed({ id, inputs }: ToEngine & { t: 'embed' }): Promise<void> {
  return run(id, async (loaded, signal) => {
    const { vectors, promptTokens } = await loaded.embed(inputs, signal)
    tell({ t: 'embeddings', id, vectors: vectors.map((vector) => [...vector]), promptTokens })
  })
}

async function run(id: number, work: (loaded: LoadedModel, signal: AbortSignal) => Promise<void>): Promise<void> {
  const abort = new AbortController()
  running.set(id, abort)
  try {
    if (model === undefined) throw new Failure('generation-failed', 'No model is loaded.')
    await work(model, abort.signal)
  } catch (error) {
    const fault = requestFault.safeParse(error instanceof Failure ? error.code : undefined)
    const field = error instanceof Failure ? error.words.values?.field : undefined
    const message = asError(error).message.slice(0, 500)
    tell({ t: 'failed', id, code: fault.data ?? 'generation-failed', message, ...(typeof field === 'string' && { field }) })
  } finally {
    running.delete(id)
  }
}

process.on('message', (raw) => {
  const message = toEngine.parse(raw)
  if (message.t === 'load') void load(message.order)
  else if (message.t === 'generate') void answer(message)
  else if (message.t === 'embed') void embed(message)
  else running.get(message.id)?.abort()
})
process.on('disconnect', end)
// A key press in the terminal reaches every process there; the parent decides when this one ends.
process.on('SIGINT', () => undefined)
process.on('SIGHUP', () => undefined)
