import { Download } from 'lucide-react'
import { Children, type ReactNode } from 'react'
import ReactMarkdown, { type Components } from 'react-markdown'
import remarkGfm from 'remark-gfm'
import { isolated, plainLabel, visibleCode } from '../format/plain-label.ts'
import { useTexts } from '../messages/texts.tsx'
import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { Icon } from '../ui/icon.tsx'
import { saveFile } from '../ui/save-file.ts'
import { ScrollRegion } from '../ui/scroll-region.tsx'
import { answerOutline } from './answer-outline.ts'
import { linkTarget } from './link-target.ts'
import { ownDirections } from './own-directions.ts'

/**
 * Model output is text from a stranger: no raw HTML, no picture from the net, no link whose place is hidden behind its words, and no block whose
 * direction reaches beyond it.
 */
export function Markdown({ text, streaming }: { text: string; streaming: boolean }) {
  return (
    <div className={`markdown ${streaming ? 'streaming' : ''}`}>
      <ReactMarkdown
        remarkPlugins={plugins}
        rehypePlugins={rehypePlugins}
        components={components}
        urlTransform={keepUrl}
        skipHtml
      >
        {text}
      </ReactMarkdown>
    </div>
  )
}

const plugins = [remarkGfm]
const rehypePlugins = [ownDirections, answerOutline]
/** Addresses are judged where they are drawn, so that a refused one can still be shown as text. */
const keepUrl = (url: string): string => url

const components: Components = {
  a: ({ href, children }) => <SafeLink href={href}>{children}</SafeLink>,
  img: ({ src, alt }) => <PictureText src={typeof src === 'string' ? src : ''} alt={alt ?? ''} />,
  pre: ({ children }) => <>{children}</>,
  code: ({ className, children }) => {
    const text = textOf(children)
    const language = /language-(\S+)/.exec(plainLabel(className ?? ''))?.[1]
    return language !== undefined || text.includes('\n') ? (
      <CodeBlock code={text} language={language ?? ''} />
    ) : (
      <code>{visibleCode(text)}</code>
    )
  },
  input: ({ checked }) => <TaskMark done={checked === true} />,
  table: ({ children }) => <MarkdownTable>{children}</MarkdownTable>,
}

const textOf = (children: ReactNode): string =>
  Array.isArray(children) ? children.map(textOf).join('') : typeof children === 'string' ? children : ''

/** The place a link leads to is always on the screen; the desktop shell asks before it opens it. */
function SafeLink({ href, children }: { href: string | undefined; children: ReactNode }) {
  const target = linkTarget(href ?? '')
  const words = textOf(children)
  if (!target) return <bdi>{href && href !== words ? `${words} (${isolated(href)})` : words}</bdi>
  const isWordless = Children.count(children) === 0
  return (
    <>
      <a href={target.href} target="_blank" rel="noreferrer noopener">
        {isWordless ? target.shown : children}
      </a>
      {isWordless || words === target.href || words === href ? null : (
        <bdi dir="ltr" className="text-ink-3">{` (${target.shown})`}</bdi>
      )}
    </>
  )
}

function PictureText({ src, alt }: { src: string; alt: string }) {
  const { t } = useTexts()
  return <span className="text-ink-3">{t('chat.picture', { alt, src })}</span>
}

const extensions: Record<string, string> = {
  javascript: 'js',
  typescript: 'ts',
  python: 'py',
  shell: 'sh',
  bash: 'sh',
  rust: 'rs',
  markdown: 'md',
  text: 'txt',
}

function CodeBlock({ code, language }: { code: string; language: string }) {
  const { t } = useTexts()
  const body = code.replace(/\n$/, '')
  const extension = extensions[language] ?? (/^[a-z0-9]{1,8}$/.test(language) ? language : 'txt')
  return (
    <div className="code-block">
      <div className="code-head">
        <span className="min-w-0 flex-1 truncate">{language || t('code.plain')}</span>
        <CopyButton withWord value={body} label={t('code.copy')} />
        <Button
          kind="ghost"
          size="sm"
          icon={<Icon of={Download} size={15} />}
          onClick={() => saveFile(`code.${extension}`, `${body}\n`, 'text/plain')}
        >
          {t('action.save')}
        </Button>
      </div>
      <ScrollRegion label={language || t('code.plain')} className="code-scroll">
        <pre dir="ltr">
          <code>{visibleCode(body)}</code>
        </pre>
      </ScrollRegion>
    </div>
  )
}

/** The box of a list of tasks: nothing can be ticked here. */
function TaskMark({ done }: { done: boolean }) {
  const { t } = useTexts()
  return <input type="checkbox" disabled checked={done} aria-label={t(done ? 'chat.taskDone' : 'chat.taskOpen')} />
}

function MarkdownTable({ children }: { children: ReactNode }) {
  const { t } = useTexts()
  return (
    <ScrollRegion label={t('chat.table')} className="md-table">
      <table className="w-full">{children}</table>
    </ScrollRegion>
  )
}
