import { randomBytes } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { downloadHttp } from './download.ts'
import type { DownloadProgress } from './download-options.ts'
import { keptBytes, removePart } from './part.ts'
import { RateLimit } from './rate-limit.ts'
import { type DownloadScene, downloadScene, file } from './testing/download-scene.ts'
import type { FaultyServer } from './testing/faulty-server.ts'

let server: FaultyServer
let folder: string
let partPath: string
let progress: DownloadScene['progress']
let download: DownloadScene['download']
let equalsFile: DownloadScene['equalsFile']

beforeEach(async () => {
  const scene = await downloadScene()
  ;({ server, folder, partPath, progress, download, equalsFile } = scene)
  return scene.close
})

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

  it.each([
    ['whole', {}],
    ['in pieces', { parallelFromBytes: 1, pieceBytes: 500_000 }],
  ])('waits for a server that is far away, %s', async (_, more) => {
    server.delayMs = 4_000
    const { signal } = new AbortController()
    const wanted = {
      url: server.url('/file'),
      source: 'the test server',
      partPath,
      sizeBytes: file.length,
      hashKnown: true,
      signal,
    }
    await downloadHttp({ ...wanted, onProgress: () => undefined, ...more })
    expect(await equalsFile()).toBe(true)
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

describe('downloadHttp, in pieces', () => {
  const pieces = { parallelFromBytes: 500_000, pieceBytes: 100_000, connections: 4 }
  const ranges = () => server.requests.map(({ range }) => range).filter((range) => range !== undefined)

  it('loads a large file over several connections, each piece once', async () => {
    server.bytesPerSecond = 3_000_000
    let most = 0
    let open = 0
    server.onRequest = (ended) => {
      most = Math.max(most, ++open)
      void ended.then(() => open--)
    }
    expect(await download(pieces)).toBe(file.length)
    expect(await equalsFile()).toBe(true)
    expect(ranges()).toHaveLength(10)
    expect(new Set(ranges()).size).toBe(10)
    expect(most).toBeGreaterThan(2)
    expect(progress.at(-1)).toEqual({ receivedBytes: file.length, totalBytes: file.length })
  })

  it('goes on in a later run with the pieces that are missing', async () => {
    const abort = new AbortController()
    server.bytesPerSecond = 1_000_000
    const onProgress = ({ receivedBytes }: DownloadProgress): unknown => receivedBytes > 550_000 && abort.abort()
    await expect(download({ ...pieces, signal: abort.signal, onProgress })).rejects.toMatchObject({ code: 'cancelled' })
    const kept = await keptBytes(partPath)
    expect(kept).toBeGreaterThan(100_000)
    expect(kept).toBeLessThan(700_000)
    server.requests.splice(0)
    server.bytesPerSecond = undefined
    await download(pieces)
    expect(ranges()).toHaveLength(10 - kept / 100_000)
    expect(server.requests).toHaveLength(ranges().length)
    expect(await equalsFile()).toBe(true)
  })

  it('gets every piece over connections that break', async () => {
    server.cutAfterBytes = 65_536
    // Slow enough that what was sent arrives before the connection breaks.
    server.bytesPerSecond = 5_000_000
    await download(pieces)
    expect(await equalsFile()).toBe(true)
    expect(ranges().length).toBeGreaterThan(15)
  })

  it('mixes no pieces of two versions', async () => {
    const abort = new AbortController()
    server.bytesPerSecond = 1_000_000
    const onProgress = ({ receivedBytes }: DownloadProgress): unknown => receivedBytes > 550_000 && abort.abort()
    await expect(download({ ...pieces, signal: abort.signal, onProgress })).rejects.toMatchObject({ code: 'cancelled' })
    server.bytesPerSecond = undefined
    const newer = randomBytes(1_000_000)
    server.put('/file', newer)
    server.etag = '"two"'
    await download(pieces)
    expect((await readFile(partPath)).equals(newer)).toBe(true)
  })

  it('loads in one go what has no tag, no ranges, or no known hash', async () => {
    server.etag = undefined
    await download(pieces)
    server.etag = '"one"'
    server.ranges = false
    await rm(partPath)
    await download(pieces)
    server.ranges = true
    await rm(partPath)
    await download({ ...pieces, hashKnown: false })
    expect(ranges()).toEqual([])
    expect(await equalsFile()).toBe(true)
  })

  it('keeps its pieces while the server is in trouble for a while', async () => {
    server.bytesPerSecond = 2_000_000
    server.onRequest = () => {
      if (ranges().length > 5) server.status = 503
    }
    await expect(download(pieces)).rejects.toMatchObject({ code: 'source-unreachable' })
    const kept = await keptBytes(partPath)
    expect(kept).toBeGreaterThan(0)
    server.onRequest = undefined
    server.status = undefined
    server.requests.splice(0)
    await download(pieces)
    expect(ranges()).toHaveLength(10 - kept / 100_000)
    expect(await equalsFile()).toBe(true)
  })

  it('gives up when pieces do not come', async () => {
    server.cutAfterBytes = 0
    await expect(download(pieces)).rejects.toMatchObject({ code: 'source-unreachable' })
  })

  it('keeps to a limit over all connections', async () => {
    const rate = new RateLimit(() => 2_000_000)
    const startedMs = performance.now()
    await download({ ...pieces, rate })
    const tookMs = performance.now() - startedMs
    expect(tookMs).toBeGreaterThan(400)
    await rm(partPath)
    const single = performance.now()
    await download({ rate: new RateLimit(() => 2_000_000) })
    expect(performance.now() - single).toBeGreaterThan(400)
    expect(await equalsFile()).toBe(true)
  })
})

describe('RateLimit', () => {
  it('follows a change of the limit at once', async () => {
    let rate: number | null = 1000
    let now = 0
    const limit = new RateLimit(
      () => rate,
      () => now,
    )
    const { signal } = new AbortController()
    await limit.take(10, signal)
    const second = limit.take(10, signal)
    expect(await Promise.race([second.then(() => 'through'), Promise.resolve('waits')])).toBe('waits')
    await second
    rate = null
    const started = performance.now()
    await limit.take(1e9, signal)
    expect(performance.now() - started).toBeLessThan(5000)
    now = 1e6
  })
})
