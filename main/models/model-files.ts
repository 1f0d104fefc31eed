import { existsSync } from 'node:fs'
import { lstat, mkdir, readdir, readlink, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { OwnFile } from '../../preload/api/model-fit.ts'
import type { ModelState } from '../../preload/api/system.ts'
import { Failure } from '../base/failure.ts'
import type { CatalogEntry } from './catalog.ts'
import { type GgufHeader, readGgufHeader } from './gguf.ts'
import { baseNameOf, type ModelOrigin, ownOrigin } from './identity.ts'
import type { ModelLayout } from './layout.ts'
import { type FileRecord, type Records, readRecords, recordsName, writeRecords } from './library-records.ts'
import { countText, newRecord, ownId, problemOf, shippedState } from './model-states.ts'
import { folderAway, movedPath } from './moved-folder.ts'
import { partBytes } from './obtain.ts'

export interface ModelFilesOptions {
  readonly folder: string
  readonly catalog: readonly CatalogEntry[]
  /** False for a folder that the user chose: it is not made where it is missing. */
  readonly isOwnFolder: (folder: string) => boolean
}

/**
 * The files of the library: what is remembered of them, and what a look at them says by size, time and header. Hashes are not computed here, and nothing
 * is fetched or deleted.
 */
export class ModelFiles {
  readonly #options: ModelFilesOptions
  readonly #layouts = new Map<string, ModelLayout>()
  readonly #quantizations = new Map<string, string | null>()
  /** Where files went that were moved, oldest first. */
  readonly #moves: { readonly from: string; readonly to: string }[] = []
  #folder: string
  #records: Records = { version: 1, pins: {}, files: {} }
  #isAway = false

  constructor(options: ModelFilesOptions) {
    this.#options = options
    this.#folder = options.folder
  }

  get folder(): string {
    return this.#folder
  }

  /** Whether the folder was missing: nothing may be written there, for it would look like a library then. */
  get isAway(): boolean {
    return this.#isAway
  }

  /** By the ids of their models. Changes count once they are saved. */
  get records(): Records['files'] {
    return this.#records.files
  }

  /** What was learned of files of the catalog when they were fetched first, by their addresses. */
  get pins(): Records['pins'] {
    return this.#records.pins
  }

  save(): void {
    writeRecords(join(this.#folder, recordsName), this.#records)
  }

  /** Files are looked for in another folder from the next `open` on. */
  lookIn(folder: string): void {
    this.#folder = folder
  }

  /** Reads what is remembered. GGUF files that were put into the folder by hand become own models. @throws Failure `models-folder-away` */
  async open(): Promise<void> {
    const { catalog, isOwnFolder } = this.#options
    const folder = this.#folder
    // An empty folder where a disk is missing must not be taken for a library without models.
    this.#isAway = !isOwnFolder(folder) && !existsSync(join(folder, recordsName))
    if (this.#isAway) throw folderAway(folder)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    this.#records = readRecords(join(folder, recordsName))
    const shipped = new Set(catalog.map((entry) => entry.fileName))
    const ownPaths = new Set(Object.values(this.records).map((record) => record.path))
    for (const name of await readdir(folder)) {
      const path = join(folder, name)
      if (name.endsWith('.gguf') && !shipped.has(name) && !ownPaths.has(path)) await this.addOwn(path)
    }
  }

  /** Looks at all models: those of the catalog, whether or not they are here, and own ones. */
  async examineAll(): Promise<ModelState[]> {
    const states: ModelState[] = []
    for (const entry of this.#options.catalog) states.push(await this.examineShipped(entry))
    for (const [id, { origin }] of Object.entries(this.records)) {
      const state = origin === 'own' ? await this.examineOwn(id) : undefined
      if (state !== undefined) states.push(state)
    }
    return states
  }

  /** Remembers a file as an own model. A model that was moved away keeps its id: another file at its former place gets another one. */
  async addOwn(path: string): Promise<string> {
    let name = path
    while (this.records[ownId(name)] !== undefined) name += '+'
    const id = ownId(name)
    this.records[id] = await newRecord(path)
    return id
  }

  /**
   * The same files lie in another folder. What is remembered is written there; then `commit` has to make it count, and no file is looked for in the
   * old folder any more. What `commit` throws leaves everything as it was.
   * @param idle resolves when nothing reads a file, and nothing will before this ends
   */
  async relocate(to: string, idle: () => Promise<void>, commit: () => void): Promise<void> {
    const from = this.#folder
    const times = new Map<string, number>()
    for (const { path } of Object.values(this.records)) {
      const found = await stat(movedPath(path, from, to)).catch(() => undefined)
      if (found !== undefined) times.set(path, found.mtimeMs)
    }
    await idle()
    const files = Object.fromEntries(
      Object.entries(this.records).map(([id, record]) => {
        const mtimeMs = times.get(record.path) ?? record.mtimeMs
        return [id, { ...record, path: movedPath(record.path, from, to), mtimeMs }]
      }),
    )
    const records = { ...this.#records, files }
    writeRecords(join(to, recordsName), records)
    commit()
    this.#records = records
    this.#folder = to
    this.#moves.push({ from, to })
  }

  /** Where a file is now that was at `path` when the app started, or since. */
  whereIs(path: string): string {
    return this.#moves.reduce((now, { from, to }) => movedPath(now, from, to), path)
  }

  /** Where the file of a model is, or belongs. Undefined: no such model. */
  pathOf(id: string): string | undefined {
    const entry = this.entryOf(id)
    return entry === undefined ? this.records[id]?.path : this.shippedPath(entry)
  }

  shippedPath({ fileName }: CatalogEntry): string {
    return join(this.#folder, fileName)
  }

  /** Undefined: the model is none of the catalog. */
  entryOf(id: string): CatalogEntry | undefined {
    return this.#options.catalog.find((item) => item.id === id)
  }

  /** What the header says about the model's shape; undefined before it was read, or when it says too little. */
  layoutOf(id: string): ModelLayout | undefined {
    return this.#layouts.get(id)
  }

  /** What the model in the file at `path` is called, before its hash is known; undefined before its header was read. */
  baseNameOf(id: string, path: string): string | undefined {
    const quantization = this.#quantizations.get(id)
    return quantization === undefined ? undefined : baseNameOf(this.originOf(id), basename(path), quantization)
  }

  /** The revision is the catalog's, or what the hub said at the first download; the branch where it never said one. */
  originOf(id: string): ModelOrigin {
    const entry = this.entryOf(id)
    if (entry === undefined) return ownOrigin
    const pinned = entry.sources.map((source) =>
      source.kind === 'huggingface' ? this.#records.pins[source.url]?.commit : undefined,
    )
    return { repo: entry.repo, commit: entry.commit ?? pinned.find((commit) => commit !== undefined) ?? 'main' }
  }

  /** Hashes under which a catalog model is the one that was meant. */
  hashesOf(entry: CatalogEntry): Set<string> {
    const pins = entry.sources.map(
      (source) => source.sha256 ?? (source.kind === 'huggingface' ? this.#records.pins[source.url]?.sha256 : undefined),
    )
    return new Set(pins.filter((hash) => hash !== undefined))
  }

  /** What the hash of an own file says of it; null while it is not known. */
  ownFile(isInFolder: boolean, sha256: string | null): OwnFile {
    const same = sha256 === null ? undefined : this.#options.catalog.find((entry) => this.hashesOf(entry).has(sha256))
    return { isInFolder, ...(same && { sameAs: same.name }) }
  }

  /** Whether an own file of this size may be the model, by what is known before its hash is. */
  mayBe(entry: CatalogEntry, ownId: string, sizeBytes: number): boolean {
    const sizes = entry.sources.flatMap((source) => {
      const pinned = source.kind === 'huggingface' ? this.#records.pins[source.url]?.sizeBytes : undefined
      return source.sizeBytes ?? pinned ?? []
    })
    return sizes.length > 0 ? sizes.includes(sizeBytes) : this.#quantizations.get(ownId) === entry.quantization
  }

  /** Keeps what a header says of the model's shape. */
  learn(id: string, { layout, quantization }: GgufHeader): void {
    this.#quantizations.set(id, quantization)
    if (layout === null) this.#layouts.delete(id)
    else this.#layouts.set(id, layout)
  }

  async examineShipped(entry: CatalogEntry): Promise<ModelState> {
    const path = this.shippedPath(entry)
    const found = await stat(path).catch(() => undefined)
    if (found === undefined) {
      this.#layouts.delete(entry.id)
      const receivedBytes = await partBytes(this.#folder, entry)
      return shippedState(entry, { status: 'absent', ...(receivedBytes > 0 && { receivedBytes }) })
    }
    const record = this.records[entry.id]
    const rest = {
      path,
      sizeBytes: found.size,
      ...(record?.tokensPerSecond !== undefined && { tokensPerSecond: record.tokensPerSecond }),
    }
    let contextTokens = entry.contextTokens
    try {
      const header = await readGgufHeader(path)
      this.learn(entry.id, header)
      contextTokens ??= header.contextTokens
      if (record !== undefined && record.sizeBytes !== found.size)
        throw new Failure('model-broken', 'The file was changed or cut off since it was downloaded.', {
          words: { code: 'model-cut' },
        })
    } catch (error) {
      return shippedState(entry, { ...rest, status: 'broken', ...problemOf(error) })
    }
    const unchanged = record?.mtimeMs === found.mtimeMs
    return shippedState(entry, { ...rest, contextTokens, status: 'installed', sha256: unchanged ? record.sha256 : null })
  }

  /** Undefined when a file of the library folder is gone: then it is forgotten too. A link whose disk is away stays: it may come back. */
  async examineOwn(id: string): Promise<ModelState | undefined> {
    const record = this.records[id]
    const found = record && (await stat(record.path).catch(() => undefined))
    if (record === undefined) return undefined
    if (found === undefined) return await this.#missingOwn(id, record)
    const isLink = (await lstat(record.path)).isSymbolicLink()
    const isInFolder = dirname(record.path) === this.#folder && !isLink
    const base = { ...ownState(id, record), own: this.ownFile(isInFolder, null) }
    try {
      const header = await readGgufHeader(record.path)
      this.learn(id, header)
      const { licence, quantization, contextTokens } = header
      const unchanged = record.mtimeMs === found.mtimeMs && record.sizeBytes === found.size
      const sha256 = unchanged ? record.sha256 : null
      const parameters = countText(header.parameters)
      const own = this.ownFile(isInFolder, sha256)
      return {
        ...base,
        own,
        licence,
        parameters,
        quantization,
        contextTokens,
        sha256,
        sizeBytes: found.size,
        status: 'installed',
      }
    } catch (error) {
      return { ...base, sizeBytes: found.size, status: 'broken', ...problemOf(error) }
    }
  }

  async #missingOwn(id: string, record: FileRecord): Promise<ModelState | undefined> {
    const target = await readlink(record.path).catch(() => undefined)
    if (target === undefined && dirname(record.path) === this.#folder) {
      delete this.records[id]
      return undefined
    }
    const path = target === undefined ? record.path : resolve(dirname(record.path), target)
    const problem = { problem: `The file is no longer at ${path}.`, problemWords: [{ code: 'model-gone', values: { path } }] }
    return { ...ownState(id, record), own: this.ownFile(false, null), status: 'broken', ...problem }
  }
}

/** An own model of which only the record is known. */
function ownState(id: string, { path, tokensPerSecond }: FileRecord): Omit<ModelState, 'status'> {
  return {
    ...{ id, name: basename(path).replace(/\.gguf$/i, ''), origin: 'own', path, loaded: false },
    ...(tokensPerSecond !== undefined && { tokensPerSecond }),
    ...{ licence: null, parameters: null, quantization: null, sizeBytes: null, contextTokens: null, sha256: null },
  }
}
