import { stat } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { beforeEach, describe, expect, it } from 'vitest'
import { whyNotTo } from './source-request.ts'
import { type DownloadScene, downloadScene, file } from './testing/download-scene.ts'
import { FaultyServer } from './testing/faulty-server.ts'

let server: FaultyServer
let partPath: string
let download: DownloadScene['download']
let equalsFile: DownloadScene['equalsFile']

beforeEach(async () => {
  const scene = await downloadScene()
  ;({ server, partPath, download, equalsFile } = scene)
  return scene.close
})

describe('a source that answers', () => {
  it('is followed to where it leads, without what was told to it alone', async () => {
    const other = new FaultyServer()
    other.put('/kept', file)
    await other.start()
    server.redirects.set('/moved', '/again')
    server.redirects.set('/again', other.url('/kept'))
    await download({ url: server.url('/moved'), headers: { Authorization: 'Bearer secret' } })
    expect(await equalsFile()).toBe(true)
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer secret', 'Bearer secret'])
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
    other.stop()
  })

  it('is not said to be silent when its answers lead nowhere, come packed, or are another part', async () => {
    const refused = (why: RegExp) => ({ code: 'source-refused', message: expect.stringMatching(why) })
    server.redirects.set('/circle', '/circle')
    await expect(download({ url: server.url('/circle') })).rejects.toMatchObject(refused(/without end/))
    expect(server.requests.length).toBe(11)
    server.redirects.set('/local', 'file:///etc/passwd')
    await expect(download({ url: server.url('/local') })).rejects.toMatchObject(refused(/none of the web/))
    server.headers = { 'Content-Encoding': 'gzip' }
    server.put('/file', gzipSync(file))
    await expect(download()).rejects.toMatchObject(refused(/packed \(gzip\)/))
    server.headers = {}
    server.put('/file', file)
    server.cutAfterBytes = 400_000
    const stop = new AbortController()
    await download({ signal: stop.signal, onProgress: ({ receivedBytes }) => receivedBytes > 0 && stop.abort() }).catch(
      () => undefined,
    )
    server.cutAfterBytes = undefined
    server.shiftBytes = 7
    await expect(download()).rejects.toMatchObject(refused(/another part/))
  })

  it('is asked once for the file as it is, with a range and without', async () => {
    await download({ parallelFromBytes: 500_000, pieceBytes: 300_000 })
    expect(server.requests.filter(({ range }) => range).length).toBe(4)
    expect(new Set(server.requests.map(({ headers }) => headers['accept-encoding']))).toEqual(new Set(['identity']))
  })

  it('is left when it sends more than the model can have, told before or not', async () => {
    const unknown = { sizeBytes: null, mostBytes: 500_000 }
    await expect(download(unknown)).rejects.toMatchObject({ code: 'wrong-size', message: expect.stringContaining('too much') })
    server.lengthless = true
    await expect(download(unknown)).rejects.toMatchObject({ code: 'wrong-size' })
    expect((await stat(partPath)).size).toBe(0)
    expect(await download({ sizeBytes: null, mostBytes: file.length })).toBe(file.length)
  })
})

describe('whyNotTo', () => {
  it.each([
    ['https://hub.example/a', 'https://cdn.example/b', true],
    ['http://hub.example/a', 'https://cdn.example/b', true],
    ['http://192.168.1.2/a', 'http://192.168.1.3/b', true],
    ['https://hub.example/a', 'http://cdn.example/b', false],
    ['https://hub.example/a', 'https://192.168.1.3/b', false],
    ['https://hub.example/a', 'https://172.20.0.1/b', false],
    ['https://hub.example/a', 'https://0x7f.1/b', false],
    ['https://hub.example/a', 'https://localhost:8080/b', false],
    ['https://hub.example/a', 'https://[::1]/b', false],
    ['https://hub.example/a', 'https://[::ffff:10.0.0.1]/b', false],
    ['https://hub.example/a', 'https://[fd00::1]/b', false],
    ['https://hub.example/a', 'https://169.254.169.254/b', false],
    ['https://hub.example/a', 'ftp://cdn.example/b', false],
  ])('from %s to %s: %s', (from, to, allowed) => {
    expect(whyNotTo(new URL(to), new URL(from)) === undefined).toBe(allowed)
  })
})
