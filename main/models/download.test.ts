import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type DownloadOptions, type DownloadProgress, downloadHttp, removePart } from './download.ts'
import { FaultyServer } from './testing/faulty-server.ts'

const file = randomBytes(1_000_000)
let folder: string
let server: FaultyServer
let partPath: string
let progress: DownloadProgress[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cocoon-desktop-download-'))
  partPath = join(folder, 'file.part')
  progress = []
  server = new FaultyServer()
  server.put('/file', file)
  await server.start()
})
afterEach(async () => {
  server.stop()
  await rm(folder, { recursive: true })
})

function download(options: Partial<DownloadOptions> = {}): Promise<number> {
  return downloadHttp({
    url: server.url('/file'),
    source: 'the test server',
    partPath,
    sizeBytes: file.length,
    hashKnown: true,
    signal: new AbortController().signal,
    onProgress: (value) => progress.push(value),
    connectTimeoutMs: 10_000,
    stallTimeoutMs: 10_000,
    retryPauseMs: 5,
    ...options,
  })
}

async function equalsFile(): Promise<boolean> {
  return (await readFile(partPath)).equals(file)
}

describe('downloadHttp', () => {
  it('downloads with progress and leaves only the file', async () => {
    expect(await download({ sizeBytes: null, hashKnown: false })).toBe(file.length)
    expect(await equalsFile()).toBe(true)
    expect(progress.at(-1)).toEqual({ receivedBytes: file.length, totalBytes: file.length })
    expect(await readdir(folder)).toEqual(['file.part'])
  })

  it('does not load a whole file again that nobody could verify yet', async () => {
    await download()
    server.stop()
    expect(await download()).toBe(file.length)
    await removePart(partPath)
    expect(await readdir(folder)).toEqual([])
  })

  it('goes on where each cut connection ended', async () => {
    server.cutAfterBytes = 300_000
    await download()
    expect(await equalsFile()).toBe(true)
    expect(server.requests.length).toBeGreaterThan(3)
    const starts = server.requests.slice(1).map(({ range }) => Number(range?.slice(6, -1)))
    expect(starts).toEqual([...starts].sort((a, b) => a - b))
    expect(starts[0]).toBeGreaterThan(0)
  })

  it('goes on in a later run', async () => {
    const abort = new AbortController()
    server.bytesPerSecond = 2_000_000
    const first = download({ signal: abort.signal, onProgress: ({ receivedBytes }) => receivedBytes > 300_000 && abort.abort() })
    await expect(first).rejects.toMatchObject({ code: 'cancelled' })
    const kept = (await readFile(partPath)).length
    expect(kept).toBeGreaterThan(300_000)
    server.bytesPerSecond = undefined
    await download()
    expect(server.requests.at(-1)?.range).toBe(`bytes=${kept}-`)
    expect(progress[0]?.receivedBytes).toBe(kept)
    expect(await equalsFile()).toBe(true)
  })

  it('begins again when the server has another version, or knows no ranges', async () => {
    const cut = new AbortController()
    server.bytesPerSecond = 2_000_000
    const first = download({ signal: cut.signal, onProgress: ({ receivedBytes }) => receivedBytes > 200_000 && cut.abort() })
    await expect(first).rejects.toMatchObject({ code: 'cancelled' })
    server.bytesPerSecond = undefined
    const newer = randomBytes(file.length)
    server.put('/file', newer)
    server.etag = '"two"'
    await download()
    expect((await readFile(partPath)).equals(newer)).toBe(true)

    await rm(partPath)
    server.put('/file', file)
    server.ranges = false
    server.cutAfterBytes = 700_000
    const fruitless = download({ onProgress: () => undefined })
    setTimeout(() => {
      server.cutAfterBytes = undefined
    }, 30)
    await fruitless
    expect(await equalsFile()).toBe(true)
  })

  it('never goes on with a file whose hash nobody knows', async () => {
    server.bytesPerSecond = 2_000_000
    const abort = new AbortController()
    const onProgress = ({ receivedBytes }: DownloadProgress): unknown => receivedBytes > 200_000 && abort.abort()
    const first = download({ hashKnown: false, signal: abort.signal, onProgress })
    await expect(first).rejects.toMatchObject({ code: 'cancelled', message: expect.not.stringContaining('kept') })
    expect(await readdir(folder)).toEqual([])
    server.bytesPerSecond = undefined
    // Not even a part with the right state beside it, such as an interrupted process leaves.
    await writeFile(partPath, randomBytes(500_000))
    await writeFile(`${partPath}.json`, JSON.stringify({ key: server.url('/file'), etag: '"one"', totalBytes: file.length }))
    await download({ hashKnown: false })
    expect(server.requests.map(({ range }) => range)).toEqual([undefined, undefined])
    expect(await equalsFile()).toBe(true)
  })

  it('does so within one run too, and gives up when no try gets further', async () => {
    server.cutAfterBytes = 300_000
    await expect(download({ hashKnown: false })).rejects.toMatchObject({ code: 'source-unreachable' })
    expect(server.requests.length).toBeGreaterThan(2)
    expect(server.requests.every(({ range }) => range === undefined)).toBe(true)
    expect(await readdir(folder)).toEqual([])
  })

  it('goes on under the name it was given, though the address changed, and keeps the address to itself', async () => {
    const abort = new AbortController()
    server.bytesPerSecond = 2_000_000
    const partKey = 'file one'
    const onProgress = ({ receivedBytes }: DownloadProgress): unknown => receivedBytes > 200_000 && abort.abort()
    await expect(download({ partKey, signal: abort.signal, onProgress })).rejects.toMatchObject({ code: 'cancelled' })
    expect(await readFile(`${partPath}.json`, 'utf8')).not.toContain('127.0.0.1')
    server.bytesPerSecond = undefined
    server.put('/file?signed=again', file)
    const kept = (await readFile(partPath)).length
    await download({ partKey, url: server.url('/file?signed=again'), headers: { Authorization: 'Basic abc' } })
    expect(server.requests.at(-1)).toMatchObject({ range: `bytes=${kept}-`, headers: { authorization: 'Basic abc' } })
    expect(await equalsFile()).toBe(true)
  })

  it('distrusts a part without its state, or with that of another address', async () => {
    await writeFile(partPath, randomBytes(500_000))
    await download()
    expect(server.requests[0]?.range).toBeUndefined()
    expect(await equalsFile()).toBe(true)
    await writeFile(partPath, randomBytes(500_000))
    await writeFile(`${partPath}.json`, JSON.stringify({ key: 'http://elsewhere/', etag: '"one"', totalBytes: 1_000_000 }))
    await download()
    expect(await equalsFile()).toBe(true)
  })

  it('gives up soon on a server that is silent, gone, refusing or empty-handed', async () => {
    const startedMs = performance.now()
    server.silent = true
    await expect(download({ connectTimeoutMs: 300 })).rejects.toMatchObject({ code: 'source-unreachable' })
    expect(performance.now() - startedMs).toBeLessThan(5000)
    server.silent = false
    server.status = 403
    await expect(download()).rejects.toMatchObject({ code: 'source-refused', message: expect.stringContaining('403') })
    server.status = undefined
    server.cutAfterBytes = 0
    await expect(download()).rejects.toMatchObject({ code: 'source-unreachable' })
    server.stop()
    await expect(download()).rejects.toMatchObject({ code: 'source-unreachable' })
  })

  it('refuses a file of another size before loading it', async () => {
    await expect(download({ sizeBytes: 999_999 })).rejects.toMatchObject({ code: 'wrong-size' })
    expect(progress).toEqual([])
  })

  it('refuses to fill the disk', async () => {
    const freeBytes = async (): Promise<number> => 10_000_000
    await expect(download({ freeBytes })).rejects.toMatchObject({ code: 'disk-full' })
    expect(await readdir(folder)).toEqual([])
  })
})
