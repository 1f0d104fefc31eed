import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { Failure } from '../../base/failure.ts'
import { cpuClock } from '../../base/testing/cpu-ms.ts'
import { type FormPart, isForm, readForm, textOf, writeForm } from './form.ts'

const type = 'multipart/form-data; boundary=XX'
const form = (text: string): Uint8Array => Buffer.from(text.replaceAll('\n', '\r\n'), 'latin1')
const field = (head: string, body = 'value'): string => `--XX\n${head}\n\n${body}\n`
const good = 'Content-Disposition: form-data; name="model"'
const end = '--XX--\n'
const read = (text: string, contentType = type): FormPart[] => readForm(contentType, form(text))

describe('a form', () => {
  it('has fields and files, as programs write them', () => {
    const parts = read(
      `${field(good, 'M')}${field('content-disposition: form-data; name="file"; filename="a b.wav"\nContent-Type: audio/wav', '\x00\xff--X')}${end}`,
    )
    expect(parts).toEqual([
      { name: 'model', bytes: new Uint8Array(Buffer.from('M')) },
      { name: 'file', fileName: 'a b.wav', contentType: 'audio/wav', bytes: Uint8Array.of(0, 0xff, 0x2d, 0x2d, 0x58) },
    ])
  })

  it('is what the platform itself writes and reads', async () => {
    const data = new FormData()
    data.append('prompt', 'Grüße, "quoted"\r\nsecond line')
    data.append('odd "name"\r\n', 'x')
    data.append('file', new File([Uint8Array.of(1, 2, 3)], 'ä "1".mp3', { type: 'audio/mpeg' }))
    const response = new Response(data)
    const contentType = response.headers.get('content-type') ?? ''
    const parts = readForm(contentType, new Uint8Array(await response.arrayBuffer()))
    expect(parts.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual([
      'Grüße, "quoted"\r\nsecond line',
      'x',
      '\x01\x02\x03',
    ])
    const ours = writeForm(parts)
    const again = await new Response(Buffer.from(ours.bytes), { headers: { 'Content-Type': ours.contentType } }).formData()
    expect(again.get('prompt')).toBe('Grüße, "quoted"\r\nsecond line')
    const file = again.get('file')
    if (!(file instanceof File)) throw new Error('no file')
    expect([file.type, file.size]).toEqual(['audio/mpeg', 3])
  })

  it('takes a name of a file in UTF-8 alone, and writes nothing of it into the terminal', () => {
    const named = (name: string) => `${field(`Content-Disposition: form-data; name="file"; filename*=${name}`)}${end}`
    expect(read(named("utf-8''a%C3%A4.wav"))[0]?.fileName).toBe('aä.wav')
    const terminal = vi.spyOn(console, 'warn')
    try {
      for (const name of ["secret''a.wav", "latin1'en'a.wav", 'a.wav']) expect(() => read(named(name))).toThrow(Failure)
      expect(terminal).not.toHaveBeenCalled()
    } finally {
      terminal.mockRestore()
    }
  })

  it('comes back as it was written, whatever the bytes', () => {
    const part = fc.record({
      name: fc.stringMatching(/^[\w[\].-]{1,20}$/),
      bytes: fc.uint8Array({ maxLength: 200 }),
      fileName: fc.option(fc.stringMatching(/^\w[\w .-]{0,20}\w$/), { nil: undefined }),
    })
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (drawn) => {
        const parts = drawn.map(({ name, bytes, fileName }) => ({ name, bytes, ...(fileName !== undefined && { fileName }) }))
        const { contentType, bytes } = writeForm(parts)
        const back = readForm(contentType, bytes).map(({ contentType: _, ...rest }) => rest)
        expect(back).toEqual(parts)
      }),
      { numRuns: 200 },
    )
  })

  it('writes no head that could be read as another one', () => {
    const { bytes } = writeForm([
      { name: 'a"\r\nX: y', fileName: 'b"; name="c', contentType: 'text/x\r\nEvil: 1', bytes: new Uint8Array(0) },
    ])
    const text = Buffer.from(bytes).toString()
    expect(text).toContain(
      'form-data; name="a%22%0D%0AX: y"; filename="b%22; name=%22c"\r\nContent-Type: application/octet-stream',
    )
  })
})

describe('a hostile form', () => {
  it.each([
    ['another type', read.bind(null, `${field(good)}${end}`, 'application/json'), 'expected multipart/form-data'],
    ['a type that only begins alike', read.bind(null, field(good), 'multipart/form-database; boundary=XX'), 'expected multipart'],
    ['no boundary', read.bind(null, `${field(good)}${end}`, 'multipart/form-data'), 'one boundary'],
    ['an empty boundary', read.bind(null, `${field(good)}${end}`, 'multipart/form-data; boundary='), 'one boundary'],
    ['two boundaries', read.bind(null, `${field(good)}${end}`, `${type}; boundary=YY`), 'one boundary'],
    ['a boundary of 71 letters', read.bind(null, end, `multipart/form-data; boundary=${'X'.repeat(71)}`), 'one boundary'],
    ['a boundary that ends in a space', read.bind(null, end, 'multipart/form-data; boundary="X "'), 'one boundary'],
    ['a boundary with a line break', read.bind(null, end, 'multipart/form-data; boundary="X\r\nY"'), 'one boundary'],
    ['another boundary than it says', () => read(`--YY\n${good}\n\nv\n--YY--\n`), 'malformed'],
    ['nothing', () => read(''), 'empty'],
    ['an end alone', () => read(end), 'empty'],
    ['words before the first boundary', () => read(`hello\n${field(good)}${end}`), 'malformed'],
    ['no end', () => read(field(good)), 'malformed'],
    ['an end that is cut', () => read(`${field(good)}--XX-`), 'malformed'],
    ['a head that is cut', () => read('--XX\nContent-Dispo'), 'malformed'],
    ['a body that is cut', () => read(`--XX\n${good}\n\nval`), 'malformed'],
    ['line ends without a return', () => readForm(type, Buffer.from(`--XX\n${good}\n\nvalue\n--XX--\n`)), 'malformed'],
    ['a head without a disposition', () => read(`${field('Content-Type: text/plain')}${end}`), 'no form-data'],
    ['another disposition', () => read(`${field('Content-Disposition: attachment; name="model"')}${end}`), 'no form-data'],
    ['no name', () => read(`${field('Content-Disposition: form-data')}${end}`), 'no name'],
    ['an empty name', () => read(`${field('Content-Disposition: form-data; name=""')}${end}`), 'no name'],
    ['a transfer encoding', () => read(`${field(`${good}\nContent-Transfer-Encoding: base64`)}${end}`), 'transfer encoding'],
    ['a head that is not UTF-8', () => read(`${field('Content-Disposition: form-data; name="\xff\xfe"')}${end}`), 'malformed'],
    ['a head of 5000 letters', () => read(`${field(`${good}\nX: ${'y'.repeat(5000)}`)}${end}`), 'malformed'],
    ['65 parts', () => read(`${field(good).repeat(65)}${end}`), 'malformed'],
  ])('is refused: %s', (_name, attempt, words) => {
    let thrown: unknown
    try {
      attempt()
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(Failure)
    expect(thrown).toMatchObject({ code: 'invalid-request', message: expect.stringContaining(words) })
  })

  it.each(['__proto__', 'constructor', 'hasOwnProperty'])('has no power by a name or a head called %s', (name) => {
    const [part] = read(`${field(`Content-Disposition: form-data; name="${name}"\n${name}: x`)}${end}`)
    expect(part?.name).toBe(name)
    expect(Object.prototype).not.toHaveProperty('x')
  })

  it.each([
    ['a hundred thousand parts', `${field(good, '').repeat(100_000)}${end}`],
    ['half a million almost-boundaries', `${field(good, '\r\n--X'.repeat(500_000))}${end}`],
    ['one endless head', `--XX\n${'X: y\n'.repeat(500_000)}`],
    ['nothing but dashes', '-'.repeat(10_000_000)],
  ])('takes no time: %s', (_name, text) => {
    const bytes = form(text)
    const usedMs = cpuClock()
    try {
      readForm(type, bytes)
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(Failure)
    }
    expect(usedMs()).toBeLessThan(1_500)
  })

  it('is read whole at 14 MiB, in no time', () => {
    const bytes = new Uint8Array(14 << 20).fill(0x2d)
    const { contentType, bytes: written } = writeForm([{ name: 'file', fileName: 'a.wav', bytes }])
    const usedMs = cpuClock()
    expect(readForm(contentType, written)[0]?.bytes).toHaveLength(bytes.length)
    expect(usedMs()).toBeLessThan(1_500)
  })
})

it('is told by its type', () => {
  expect([
    isForm('Multipart/Form-Data; boundary=x'),
    isForm('multipart/form-data'),
    isForm('multipart/mixed'),
    isForm(undefined),
  ]).toEqual([true, true, false, false])
})

it('a field is text only where it is UTF-8 and no file', () => {
  expect(textOf({ name: 'a', bytes: Buffer.from('ü') })).toBe('ü')
  expect(() => textOf({ name: 'a', bytes: Uint8Array.of(0xff) })).toThrow('a must be text')
  expect(() => textOf({ name: 'a', fileName: 'f', bytes: Buffer.from('ü') })).toThrow('a must be text')
})
