//! The screen: pages drawn from a view, keys, and the terminal as it was when all is over.

use super::sample::{Sample, Sampler};
use super::view::View;
use super::words::{self, Section, WIDTH};
use crate::caps::TOP_LOOK;
use crate::config;
use crate::failure::Failure;
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::Paragraph;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Overview,
    Commands,
    Metrics,
}

const PAGES: [(Page, &str); 3] =
    [(Page::Overview, "overview"), (Page::Commands, "commands"), (Page::Metrics, "metrics")];

struct Screen {
    address: SocketAddr,
    every: Duration,
    page: usize,
    /// First line that is shown of the last page.
    top: usize,
    paused: bool,
    last: Option<Sample>,
    view: Option<View>,
    /// Why there is nothing new.
    trouble: Option<String>,
    colours: bool,
}

enum Go {
    On,
    Out,
}

/// Until somebody leaves it.
pub(crate) fn run(address: SocketAddr, every: Duration) -> Result<(), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let (samples, _ends) = sampling(address, every)?;
    let mut terminal = ratatui::try_init()?;
    let mut screen = Screen {
        address,
        every,
        page: 0,
        top: 0,
        paused: false,
        last: None,
        view: None,
        trouble: None,
        colours: !config::wants_no_colour(),
    };
    let result = loop {
        if let Err(error) = terminal.draw(|frame| screen.draw(frame)) {
            break Err(error);
        }
        match screen.next(&samples, &stop) {
            Ok(Go::On) => {}
            Ok(Go::Out) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    ratatui::try_restore()?;
    Ok(result?)
}

/// Samples, each `every` so long, taken beside the screen; dropping the sender ends it.
type Samples = Receiver<Result<Sample, String>>;

fn sampling(address: SocketAddr, every: Duration) -> Result<(Samples, Sender<()>), Failure> {
    let (give, samples) = sync_channel(1);
    let (ends, ended) = channel::<()>();
    let mut sampler = Sampler::new(address)?;
    let work = move || {
        loop {
            if give.send(sampler.take()).is_err() {
                return;
            }
            match ended.recv_timeout(every) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    };
    std::thread::Builder::new().name("sumun-top".to_owned()).spawn(work)?;
    Ok((samples, ends))
}

impl Screen {
    /// Waits for a key, a new size or a sample.
    fn next(&mut self, samples: &Samples, stop: &AtomicBool) -> std::io::Result<Go> {
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(Go::Out);
            }
            if event::poll(TOP_LOOK)? {
                return Ok(match event::read()? {
                    Event::Key(key) if key.kind != KeyEventKind::Release => self.key(key),
                    Event::Key(_)
                    | Event::FocusGained
                    | Event::FocusLost
                    | Event::Mouse(_)
                    | Event::Paste(_)
                    | Event::Resize(..) => Go::On,
                });
            }
            if let Ok(sample) = samples.try_recv()
                && !self.paused
            {
                self.hear(sample);
                return Ok(Go::On);
            }
        }
    }

    fn hear(&mut self, sample: Result<Sample, String>) {
        match sample {
            Ok(sample) => {
                self.view = Some(View::of(self.last.as_ref(), &sample));
                (self.last, self.trouble) = (Some(sample), None);
            }
            Err(why) => self.trouble = Some(why),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the terminal's keys are many, and most mean nothing here")]
    fn key(&mut self, key: KeyEvent) -> Go {
        let pages = PAGES.len();
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Go::Out,
            KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => return Go::Out,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Tab | KeyCode::Right => (self.page, self.top) = ((self.page + 1) % pages, 0),
            KeyCode::BackTab | KeyCode::Left => (self.page, self.top) = ((self.page + pages - 1) % pages, 0),
            KeyCode::Down => self.top += 1,
            KeyCode::Up => self.top = self.top.saturating_sub(1),
            KeyCode::PageDown => self.top += 10,
            KeyCode::PageUp => self.top = self.top.saturating_sub(10),
            KeyCode::Home => self.top = 0,
            _ => {}
        }
        Go::On
    }

    fn style(&self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let notes = self.notes();
        let [head, note, body, foot] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(notes.len() as u16),
            Constraint::Min(0),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(Paragraph::new(self.head()), head);
        frame.render_widget(Paragraph::new(Text::from(notes)), note);
        match PAGES[self.page].0 {
            Page::Overview => self.overview(frame, body),
            Page::Commands => self.commands(frame, body),
            Page::Metrics => self.metrics(frame, body),
        }
        let keys = "q quit  p pause  tab page  arrows scroll";
        let pages: Vec<String> = PAGES
            .iter()
            .enumerate()
            .map(|(at, (_, name))| if at == self.page { format!("[{name}]") } else { format!(" {name} ") })
            .collect();
        let line = Line::styled(format!("{keys}   {}", pages.concat()), Style::new().add_modifier(Modifier::DIM));
        frame.render_widget(Paragraph::new(line), foot);
    }

    fn head(&self) -> Line<'static> {
        let paused = if self.paused { "  PAUSED" } else { "" };
        let state = self.view.as_ref().map_or_else(|| "connecting".to_owned(), words::head);
        let every = self.every.as_millis();
        let every = if every.is_multiple_of(1_000) { format!("{} s", every / 1_000) } else { format!("{every} ms") };
        let text = format!("sumun {}  {state}  every {every}{paused}", self.address);
        let is_good = self.trouble.is_none() && self.view.as_ref().is_none_or(|view| view.ready);
        let style = self.style(if is_good { Color::Green } else { Color::Red });
        Line::styled(text, style.add_modifier(Modifier::BOLD))
    }

    fn notes(&self) -> Vec<Line<'static>> {
        let mut notes = Vec::new();
        if let Some(why) = &self.trouble {
            notes.push(format!("cannot be reached, trying again: {}", words::plain(why)));
        } else if let Some(view) = &self.view {
            notes.extend(view.notes.iter().map(|note| words::plain(note)));
        }
        notes.into_iter().map(|note| Line::styled(note, self.style(Color::Yellow))).collect()
    }

    fn overview(&self, frame: &mut Frame<'_>, area: Rect) {
        let Some(view) = &self.view else { return };
        let columns = [Constraint::Length(WIDTH as u16 + 2), Constraint::Min(0)];
        let [left, right] = Layout::horizontal(columns).areas(area);
        let mut sections = words::traffic(view, 6);
        sections.push(words::hot(view, 4));
        frame.render_widget(self.paragraph(&sections), left);
        frame.render_widget(self.paragraph(&words::inside(view)), right);
    }

    fn commands(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let Some(view) = &self.view else { return };
        let mut sections = words::traffic(view, usize::MAX);
        sections.push(words::hot(view, usize::MAX));
        let count: usize = sections.iter().map(|section| section.lines.len() + 1).sum();
        self.top = self.top.min(count.saturating_sub(usize::from(area.height)));
        let paragraph = self.paragraph(&sections).scroll((self.top as u16, 0));
        frame.render_widget(paragraph, area);
    }

    fn metrics(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let Some(sample) = &self.last else { return };
        let lines: Vec<String> = sample.metrics.lines().collect();
        self.top = self.top.min(lines.len().saturating_sub(usize::from(area.height)));
        let shown: Vec<Line<'_>> = lines.into_iter().skip(self.top).take(area.height.into()).map(Line::from).collect();
        frame.render_widget(Paragraph::new(shown), area);
    }

    /// Sections one below the other.
    fn paragraph(&self, sections: &[Section]) -> Paragraph<'static> {
        let title = self.style(Color::Cyan).add_modifier(Modifier::BOLD);
        let lines = sections.iter().flat_map(|Section { title: text, lines }| {
            std::iter::once(Line::styled(*text, title)).chain(lines.iter().map(|line| Line::from(line.clone())))
        });
        Paragraph::new(lines.collect::<Vec<_>>())
    }
}
