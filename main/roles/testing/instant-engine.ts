import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface InstantEngine {
  readonly url: string
  /** Bodies that reached it. */
  readonly asked: string[]
  close(): Promise<void>
}

/**
 * What a request costs: 7 and 3 tokens, or what its words name (`count 12 5`: tokens of the prompt and of the answer; `cached 4`: so many of the prompt
 * were known already).
 */
function usageOf(body: string) {
  const [, prompt = '7', completion = '3'] = /count (\d+) (\d+)/.exec(body) ?? []
  const cached = /cached (\d+)/.exec(body)?.[1]
  return {
    ...{ prompt_tokens: +prompt, completion_tokens: +completion, total_tokens: +prompt + +completion },
    ...(cached !== undefined && { prompt_tokens_details: { cached_tokens: +cached } }),
  }
}

/**
 * An OpenAI-compatible server over HTTP that answers at once, or after the milliseconds that the request's last word names (`wait 500`).
 * For tests of the network around it.
 */
export async function instantEngine(): Promise<InstantEngine> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.on('end', () => {
      if (request.url === '/v1/models') return response.end('{"object":"list","data":[]}')
      asked.push(body)
      const { stream } = JSON.parse(body) as { stream?: boolean }
      const usage = usageOf(body)
      const waitMs = Number(/wait (\d+)/.exec(body)?.[1] ?? 0)
      setTimeout(() => {
        if (stream !== true) {
          response.writeHead(200, { 'Content-Type': 'application/json' })
          return response.end(
            JSON.stringify({
              id: 'a',
              object: 'chat.completion',
              choices: [{ message: { role: 'assistant', content: 'Good day' } }],
              usage,
            }),
          )
        }
        response.writeHead(200, { 'Content-Type': 'text/event-stream' })
        for (const content of ['Good', ' ', 'day'])
          response.write(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`)
        response.write(`data: ${JSON.stringify({ choices: [], usage })}\n\n`)
        return response.end('data: [DONE]\n\n')
      }, waitMs)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
