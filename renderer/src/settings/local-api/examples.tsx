import { useState } from 'react'
import type { GatewayState } from '../../../../preload/api/gateway.ts'
import { useTexts } from '../../messages/texts.tsx'
import { CopyButton } from '../../ui/copy-button.tsx'
import { ScrollRegion } from '../../ui/scroll-region.tsx'
import { Segmented } from '../../ui/segmented.tsx'

const languages = ['curl', 'openai'] as const
type Language = (typeof languages)[number]
const names: Record<Language, string> = { curl: 'curl', openai: 'openai (JavaScript)' }

/** What a person pastes into a terminal or a program. */
function exampleOf(language: Language, url: string, model: string): string {
  return language === 'curl'
    ? `curl ${url}/chat/completions \\
  -H "Authorization: Bearer $COCOON_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "${model}", "messages": [{"role": "user", "content": "Hello"}]}'`
    : `import OpenAI from 'openai'

const client = new OpenAI({ baseURL: '${url}', apiKey: process.env.COCOON_API_KEY })
const answer = await client.chat.completions.create({
  model: '${model}',
  messages: [{ role: 'user', content: 'Hello' }],
})
console.log(answer.choices[0].message.content)`
}

export function Examples({ api }: { api: GatewayState }) {
  const { t } = useTexts()
  const [language, setLanguage] = useState<Language>('curl')
  const text = exampleOf(language, api.url, api.models[0] ?? 'local/model')
  return (
    <section className="card" aria-label={t('api.example')}>
      <div className="card-head">
        <h2>{t('api.example')}</h2>
        <span className="ms-auto flex items-center gap-2">
          <Segmented<Language>
            label={t('api.example')}
            value={language}
            options={languages.map((one) => ({ value: one, label: names[one] }))}
            onChange={setLanguage}
          />
          <CopyButton value={text} label={t('action.copyOf', { name: t('api.example') })} />
        </span>
      </div>
      <ScrollRegion label={t('api.example')} className="table-scroll">
        <pre className="mono px-[1.125rem] py-3 text-xs">{text}</pre>
      </ScrollRegion>
      <p className="px-[1.125rem] pb-4 text-sm text-ink-2">{t('api.exampleText')}</p>
    </section>
  )
}
