import type { StartState } from '../../preload/api/system.ts'
import { asError, type Told, toldOf } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { DiskState } from '../storage/disk-room.ts'

export type PartId = StartState['parts'][number]['id']

const titles: ReadonlyArray<readonly [PartId, string]> = [
  ['storage', 'Storage'],
  ['hardware', 'This computer'],
  ['model', 'Model'],
  ['engine', 'Engine'],
  ['chain', 'Local chain'],
  ['contracts', 'Contracts and test coins'],
  ['proxy', 'Proxy'],
  ['worker', 'Worker'],
  ['client', 'Client'],
]
/** Of a network that is only read, nothing is started but the reading. */
const readOnlyTitles: typeof titles = [...titles.slice(0, 4), ['network', 'Network contract']]

/** What the user sees of the start: each part by itself, so that one that fails does not hide the others. */
export class StartProgress {
  readonly #state: Signal<StartState>
  readonly #logger: Logger

  constructor(logger: Logger, options: { readonly readOnly: boolean } = { readOnly: false }) {
    const parts = options.readOnly ? readOnlyTitles : titles
    this.#state = new Signal<StartState>({ parts: parts.map(([id, title]) => ({ id, title, state: 'waiting' })) })
    this.#logger = logger
  }

  get state(): Watchable<StartState> {
    return this.#state
  }

  set(id: PartId, state: StartState['parts'][number]['state'], detail?: string | Told): void {
    this.#state.update(({ parts, ...rest }) => ({
      ...rest,
      parts: parts.map((part) => (part.id === id ? { id, title: part.title, state, ...detailOf(detail) } : part)),
    }))
  }

  setDisk(disk: DiskState): void {
    this.#state.update(({ parts }) => ({
      parts,
      ...(disk.full ? { diskFull: { folder: disk.folder, sinceMs: disk.sinceMs } } : {}),
    }))
  }

  /** Runs the work of one part and shows how it went. A failure is shown, logged and thrown on. */
  async run<T>(
    id: PartId,
    work: (detail: (text: string | Told) => void) => Promise<T>,
    done: (result: T) => string | undefined = () => undefined,
  ): Promise<T> {
    this.set(id, 'working')
    try {
      const result = await work((text) => this.set(id, 'working', text))
      this.set(id, 'ready', done(result))
      return result
    } catch (thrown) {
      throw this.#failed(id, thrown)
    }
  }

  /** A piece of one part's work that does not make the part ready. A failure is shown, logged and thrown on. */
  piece<T>(id: PartId, work: () => T): T {
    try {
      return work()
    } catch (thrown) {
      throw this.#failed(id, thrown)
    }
  }

  #failed(id: PartId, thrown: unknown): unknown {
    this.set(id, 'failed', toldOf(thrown))
    this.#logger.error('a part could not start', { part: id, message: asError(thrown).message })
    return thrown
  }
}

function detailOf(detail: string | Told | undefined): Pick<StartState['parts'][number], 'detail' | 'detailWords'> {
  if (detail === undefined) return {}
  if (typeof detail === 'string') return { detail }
  return { detail: detail.text, ...(detail.words === undefined ? {} : { detailWords: detail.words }) }
}
